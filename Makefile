# SPDX-License-Identifier: MIT
# A thin layer over Meson: every target is a command or two that you can type yourself.
BUILD ?= build
BUILD_ASAN ?= build-asan
BUILD_FUZZ ?= build-fuzz
BUILD_COVERAGE ?= build-coverage
# Passed on to "meson setup", for example MESON_ARGS=-Dsst_prefix=/opt/sst
MESON_ARGS ?=
FAULTS ?= 1000
SECONDS ?=
prefix ?=
DESTDIR ?=

reconfigure = $(if $(MESON_ARGS),meson setup --reconfigure $(MESON_ARGS) $(BUILD) >/dev/null)

# Tests at a time: they often wait for a guest, so there is room for more than there are processors.
slots = $(shell expr $$(nproc) + $$(nproc) / 2 + $$(nproc) % 2)

.DEFAULT_GOAL := help
.PHONY: help list demo demo-linux demo-nvme build test test-units test-sst test-systemc test-crashes sst-install check test-matrix test-hosts test-aarch64 qemu-in-tree faults soak fuzz coverage memcheck bench install dist deb clean hooks

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

list: help

demo: ## install what is missing, build, run two devices behind a real QEMU
	tools/deps demo
	@$(MAKE) --no-print-directory build
	$(BUILD)/trestle run -vv examples/01-two-devices/two_devices.json

LINUX_ARCH ?= riscv64
LINUX_GUEST ?= $(HOME)/.cache/trestle/linux/$(LINUX_ARCH)
example = $(BUILD)/linux
demo-linux: build ## fetch Debian's kernel, and boot it with devices behind Trestle; LINUX_ARCH=aarch64
	tools/linux-guest $(LINUX_ARCH) $(LINUX_GUEST) \
		examples/08-linux/$(if $(filter x86_64,$(LINUX_ARCH)),x86,demo).sh
	mkdir -p $(example)
	ln -sfn $(LINUX_GUEST) $(example)/guest
	cp examples/08-linux/linux-$(LINUX_ARCH).json $(example)
	head -c 8M /dev/zero >$(example)/disk.img
	$(BUILD)/trestle run -v $(example)/linux-$(LINUX_ARCH).json

demo-nvme: LINUX_ARCH = x86_64
demo-nvme: build ## the same with a disk on PCI, which Linux's own NVMe driver drives; LINUX_ARCH=riscv64
	tools/linux-guest $(LINUX_ARCH) $(LINUX_GUEST) examples/12-pci/disk.sh
	mkdir -p $(BUILD)/nvme
	ln -sfn $(LINUX_GUEST) $(BUILD)/nvme/guest
	cp examples/12-pci/linux-$(LINUX_ARCH).json $(BUILD)/nvme
	test -e $(BUILD)/nvme/disk.img || { echo Trestle; head -c 16777208 /dev/zero; } > $(BUILD)/nvme/disk.img
	cd $(BUILD)/nvme && ../trestle run -v linux-$(LINUX_ARCH).json

# The optimised build; for another: MESON_ARGS=-Dbuildtype=debug.
build: $(BUILD)/build.ninja ## build the command, the library, the plugin and the guests, optimised
	$(reconfigure)
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "meson is missing; tools/deps demo" \
		"installs what the build needs" >&2; exit 1; }
	meson setup $(MESON_ARGS) $(BUILD)

# A sanitizer's stack wants the lines only (-g1); a debugger of such a build: MESON_ARGS=-Dc_args=-g.
define build_asan
	tools/deps test
	test -e $(BUILD_ASAN)/build.ninja || meson setup -Dwerror=true \
		-Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dtests=enabled \
		-Dfirmware=enabled -Dc_args=-g1 $(MESON_ARGS) $(BUILD_ASAN)
	ninja -C $(BUILD_ASAN)
endef

test: ## install what is missing, build with ASan and UBSan, run all tests
	$(build_asan)
	meson test -C $(BUILD_ASAN) --no-rebuild --print-errorlogs --num-processes $(slots)
	@$(MAKE) --no-print-directory test-sst test-systemc test-crashes

test-units: ## the same, but run only the unit tests, which takes seconds
	$(build_asan)
	meson test -C $(BUILD_ASAN) --no-rebuild --print-errorlogs --suite unit

# Without sanitizers, which cannot be loaded into sst. Only what the tests need is built.
test-sst: $(BUILD)/build.ninja ## run the tests of the SST element, when SST-Core is installed
	$(reconfigure)
	@if meson introspect --tests $(BUILD) | grep -q '"sst"'; then \
		meson test -C $(BUILD) --print-errorlogs --suite sst; \
	else echo "skipped: the SST element, since no sst-config was found; install SST-Core," \
		"then MESON_ARGS=-Dsst_prefix=PREFIX (docs/sst.md)"; fi

# Without sanitizers, which do not know the stacks of SystemC's threads. On a bare machine SystemC
# comes with "make test", after $(BUILD) was set up.
has_systemc = meson introspect --tests $(BUILD) | grep -q '"systemc"'
test-systemc: $(BUILD)/build.ninja ## run the tests of models in SystemC, when SystemC is installed
	$(reconfigure)
	@$(has_systemc) || ! pkg-config --exists systemc || meson setup --reconfigure $(BUILD) >/dev/null
	@if $(has_systemc); then \
		meson test -C $(BUILD) --print-errorlogs --num-processes $(slots) --suite systemc; \
	else echo "skipped: models in SystemC, since libsystemc-dev is not installed, or $(BUILD) was" \
		"set up with -Dsystemc=disabled"; fi

# Without sanitizers, which report crashes, and failures of memory, themselves.
test-crashes: $(BUILD)/build.ninja ## run the tests of models that crash, and of system calls that fail
	TRESTLE_ONLY_WITHOUT_ASAN=1 meson test -C $(BUILD) --print-errorlogs --num-processes $(slots) \
		failing inline log trust

check: ## formatting, licences, direction of dependencies, static analysis
	tools/deps demo check
	@$(MAKE) --no-print-directory build
	tools/check $(BUILD)

test-matrix: build ## the plugin in the QEMUs of three Debian releases, which are fetched
	TRESTLE_BUILD=$(BUILD) python3 tests/integration/matrix.py

test-hosts: ## demo, test and check on bare roots of Debian 12, 13 and sid; takes root, half an hour
	tools/deps hosts
	tools/test-hosts --check bookworm trixie sid

test-aarch64: ## build for aarch64, and run the unit tests and a demo under qemu-user
	tools/deps demo test aarch64
	tools/test-aarch64

qemu-in-tree: build ## build a QEMU with the device in its own tree, and run the demo; 10 minutes
	tools/deps demo qemu
	plugin/in-tree/build $(BUILD)/qemu
	$(BUILD)/trestle run --qemu $(BUILD)/qemu/build/qemu-system-riscv32 --plugin in-tree \
		examples/01-two-devices/two_devices.json

faults: build ## kill, stop, cut off, delay and corrupt devices; takes FAULTS=1000 and SEED=
	TRESTLE_BUILD=$(BUILD) python3 tests/integration/faults.py --faults $(FAULTS) \
		$(if $(SEED),--seed $(SEED))

soak: build ## random accesses to sixteen devices; takes SECONDS=600
	TRESTLE_BUILD=$(BUILD) python3 tests/integration/soak.py --seconds $(or $(SECONDS),600)

fuzz: ## run each fuzz target for SECONDS=60, on the corpora in build-fuzz/corpus
	tools/deps test fuzz
	test -e $(BUILD_FUZZ)/build.ninja || CC=clang-14 meson setup -Dwerror=true -Dfuzz=true \
		-Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false -Dtests=disabled \
		-Dfirmware=disabled -Dsst=disabled $(BUILD_FUZZ)
	ninja -C $(BUILD_FUZZ)
	tools/fuzz $(BUILD_FUZZ) $(or $(SECONDS),60)

coverage: ## how many lines of the library the tests run
	tools/deps test coverage
	test -e $(BUILD_COVERAGE)/build.ninja || meson setup -Dbuildtype=debugoptimized -Db_coverage=true -Dtests=enabled \
		-Dfirmware=enabled -Dsst=disabled $(BUILD_COVERAGE)
	ninja -C $(BUILD_COVERAGE)
	tools/coverage $(BUILD_COVERAGE)

memcheck: build ## the short demo with its devices under valgrind
	tools/deps memcheck
	TRESTLE_BUILD=$(BUILD) python3 tests/integration/memcheck.py

bench: build ## measure one MMIO access from the guest to a device and back
	$(BUILD)/trestle bench

install: build ## install; takes prefix= and DESTDIR=
	$(if $(prefix),meson configure $(BUILD) -Dprefix="$(prefix)")
	DESTDIR="$(DESTDIR)" meson install -C $(BUILD)

sst-install: install ## install, and tell SST about the element library; takes prefix=
	@test -e $(BUILD)/sst/libtrestle.so || { echo "the SST element was not built: no" \
		"sst-config was found (docs/sst.md)" >&2; exit 1; }
	tools/sst_register $(BUILD)

version = $(shell sed -n "s/.*version: '\(.*\)',/\1/p" meson.build | head -n 1)

dist: ## a tarball of the last commit, in which "make demo" and "make test" work
	mkdir -p build-dist
	git archive --format=tar.gz --prefix=trestle-$(version)/ \
		-o build-dist/trestle-$(version).tar.gz HEAD
	@echo build-dist/trestle-$(version).tar.gz

deb: dist ## Debian packages of the last commit, which lintian has read
	tools/deps demo test deb
	rm -rf build-dist/trestle-$(version)
	tar -C build-dist -xf build-dist/trestle-$(version).tar.gz
	cd build-dist/trestle-$(version) && dpkg-buildpackage -b -us -uc
	lintian --fail-on error,warning build-dist/*.deb
	@echo build-dist/*.deb

hooks: ## check what changes before each commit in this clone; takes a few seconds
	git config core.hooksPath tools/githooks

clean: ## remove the build directories
	rm -rf $(BUILD) $(BUILD_ASAN) $(BUILD_FUZZ) $(BUILD_COVERAGE) build-aarch64 build-dist
