/* SPDX-License-Identifier: MIT */
/* Prints a table whose columns are as wide as their widest cell. */
#include "table.h"

#include <string.h>

enum { COLUMNS_MAX = 16 };

void table_addf(struct table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strings_vaddf(&table->cells, format, args);
    va_end(args);
}

static void print_row(const char *const *cells, const char *const *titles, const int *widths,
                      size_t columns, FILE *file)
{
    for (size_t i = 0; i < columns; i++) {
        const char *cell = cells[i] + (cells == titles && cells[i][0] == '>');
        bool is_last = i + 1 == columns;
        if (titles[i][0] == '>')
            fprintf(file, "%*s", widths[i], cell);
        else
            fprintf(file, "%-*s", is_last ? 0 : widths[i], cell);
        fputs(is_last ? "\n" : "  ", file);
    }
}

void table_print(const struct table *table, FILE *file)
{
    int widths[COLUMNS_MAX] = {0};
    size_t columns = 0;
    for (; columns < COLUMNS_MAX && table->titles[columns]; columns++)
        widths[columns] = (int)strlen(table->titles[columns]) - (table->titles[columns][0] == '>');
    for (size_t i = 0; i < table->cells.count; i++)
        if ((int)strlen(table->cells.items[i]) > widths[i % columns])
            widths[i % columns] = (int)strlen(table->cells.items[i]);

    print_row(table->titles, table->titles, widths, columns, file);
    for (size_t i = 0; i + columns <= table->cells.count; i += columns)
        print_row((const char *const *)table->cells.items + i, table->titles, widths, columns,
                  file);
}

void table_finish(struct table *table)
{
    strings_finish(&table->cells);
}
