# SPDX-License-Identifier: MIT
# bash completion for trestle(1)

_trestle_models()
{
    trestle models 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_trestle()
{
    local cur prev words cword
    _init_completion -n = || return
    local i command=
    for ((i = 1; i < cword; i++)); do
        [[ ${words[i]} == -- ]] && return
        [[ -z $command && ${words[i]} != -* ]] && command=${words[i]}
    done

    case $prev in
        --kernel) _filedir elf; return ;;
        --plugin) _filedir so; [[ none == "$cur"* ]] && COMPREPLY+=(none); return ;;
        --qemu)
            if [[ $cur == */* ]]; then
                _filedir
            else
                mapfile -t COMPREPLY < <(compgen -c -- "${cur:-qemu-system-}" | sort -u)
            fi
            return ;;
        --stats | --trace | --socket | --json | --html | --perfetto | --vcd) _filedir; return ;;
        --model)
            if [[ $cur == */* ]]; then
                _filedir so
            else
                mapfile -t COMPREPLY < <(compgen -W "$(_trestle_models)" -- "$cur")
            fi
            return ;;
        --socket-dir) _filedir -d; return ;;
        --timeout | --base | --size | --name | --device | --param | --only | --rounds | --count | --latency | --commands | --at | --lang | --peripheral | --board)
            return ;;
    esac

    local options="--help"
    case $command in
        "")
            mapfile -t COMPREPLY < <(compgen -W \
                "run check serve qemu-args device models bench sst-config trace replay poke new rtl boards top --help --version" -- "$cur")
            return ;;
        run)
            options+=" --kernel --qemu --plugin --verbose --log-time --stats --trace --timeout --gdb --debug --registers --exit-on-idle --control"
            ;;
        serve) options+=" --verbose --log-time --stats --trace --socket-dir --plugin" ;;
        qemu-args) options+=" --kernel --qemu --plugin --socket-dir" ;;
        sst-config) options+=" --latency" ;;
        bench)
            options+=" --json --html --quick --only --rounds --count --busy --jobs --kernel --qemu --plugin"
            options+=" --verbose"
            ;;
        device) options+=" --socket --listen-fd --base --pci --size --name --param --verbose --log-time --stats --trace --hash --watchdog" ;;
        trace) options+=" --device --hash --perfetto --vcd --registers --at" ;;
        replay) options+=" --model --device --param --values --verbose" ;;
        poke) options+=" --attach --commands --verbose" ;;
        rtl) options+=" --top --parameter --include --define --tie --use --ports --svd --peripheral --registers --without-icount --wave --size --word-addresses --master-word-addresses --output" ;;
        boards) options+=" --board --qemu --plugin" ;;
        top) options+=" --interval --once" ;;
        models) options+=" --svd --markdown --header --json" ;;
        new) options+=" --lang --svd --peripheral" ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    case $command in
        models)
            _filedir json
            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$(_trestle_models)" -- "$cur")
            ;;
        boards)
            _filedir json
            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "riscv32 riscv64 arm aarch64 x86_64" -- "$cur")
            ;;
        run | check | serve | qemu-args | sst-config | poke) _filedir json ;;
        trace | replay | top) _filedir ;;
        device)
            if [[ $cur == */* ]]; then
                _filedir so
            else
                mapfile -t COMPREPLY < <(compgen -W "$(_trestle_models)" -- "$cur")
            fi
            ;;
    esac
} && complete -F _trestle trestle
