/*
 * Rows of import_row as rows of a sheet.
 */
#include "report_sheet.h"

#include <string.h>

#include "buffer.h"
#include "cell.h"
#include "json.h"
#include "pgarray.h"
#include "sheet.h"
#include "subject.h"
#include "text.h"

struct words {
	const char *en, *uk, *ru;
};

static const struct words added[] = {
	{ "Import row", "Рядок імпорту", "Строка импорта" },
	{ "Import result", "Результат імпорту", "Результат импорта" },
	{ "Import errors", "Помилки імпорту", "Ошибки импорта" },
	{ "Imported user", "Імпортований користувач", "Импортированный пользователь" },
};

static const struct {
	const char *outcome;
	struct words words;
} outcomes[] = {
	{ "create", { "will be created", "буде створено", "будет создан" } },
	{ "update", { "will be changed", "буде змінено", "будет изменён" } },
	{ "unchanged", { "unchanged", "без змін", "без изменений" } },
	{ "error", { "error", "помилка", "ошибка" } },
	{ "applied", { "imported", "імпортовано", "импортирован" } },
	{ "skipped", { "skipped", "пропущено", "пропущен" } },
	{ "undone", { "undone", "скасовано", "отменён" } },
	{ "left", { "left as it is", "залишено як є", "оставлен как есть" } },
};

static const char *
word_in(const struct words *words, const char *language)
{
	if (text_equals(language, "uk"))
		return words->uk;
	return text_equals(language, "ru") ? words->ru : words->en;
}

static const char *
word_of(const char *outcome, const char *language)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		if (strcmp(outcomes[i].outcome, outcome) == 0)
			return word_in(&outcomes[i].words, language);
	}
	return outcome;
}

static void
write_cells(struct sheet *sheet, const char *cells, bool is_csv)
{
	struct buffer cell = BUFFER_INIT;
	bool is_null;

	while (pgarray_next(&cells, &cell, &is_null)) {
		const char *text = is_null ? "" : buffer_text(&cell);

		sheet_write_text(sheet, is_csv ? cell_restore(text) : text);
	}
	buffer_free(&cell);
}

void
report_sheet_write_headers(struct sheet *sheet, const char *headers, const char *language)
{
	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		sheet_write_text(sheet, word_in(&added[i], language));
	if (headers != NULL)
		write_cells(sheet, headers, false);
	sheet_end_row(sheet);
}

/* [{column, code, detail}] as people read it: "E-mail: This is taken. Phone: ..." */
static void
write_errors(struct sheet *sheet, const char *json)
{
	const char *reason;
	struct json_object *list = json_parse(json, strlen(json), &reason);
	struct buffer text = BUFFER_INIT;
	const size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *error = json_object_array_get_idx(list, i);
		const char *column = json_member_string(error, "column"), *detail = json_member_string(error, "detail");

		if (detail == NULL)
			detail = json_member_string(error, "code");
		buffer_puts(&text, i > 0 ? " " : "");
		if (column != NULL)
			buffer_printf(&text, "%s: ", column);
		buffer_puts(&text, detail != NULL ? detail : "");
	}
	sheet_write_text(sheet, buffer_text(&text));
	buffer_free(&text);
	json_object_put(list);
}

void
report_sheet_write_rows(struct sheet *sheet, const PGresult *rows, const char *language, bool is_csv)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		sheet_write_number(sheet, row_text(rows, row, "row"));
		sheet_write_text(sheet, word_of(row_text(rows, row, "outcome"), language));
		write_errors(sheet, row_text(rows, row, "errors"));
		sheet_write_text(sheet, row_text(rows, row, "user_id"));
		write_cells(sheet, row_text(rows, row, "cells"), is_csv);
		sheet_end_row(sheet);
	}
}
