/*
 * The table of columns, and how headers are compared.
 *
 * Always true (a test holds it): folded, no header belongs to two columns. A header that
 * could mean several things is in no list ("name", "ПІБ"): better no guess than one that
 * writes whole names into first names. "id" is Rollcall's own, since exports have it; a
 * number that others gave is an external id.
 */
#include "user_columns.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "buffer.h"
#include "text.h"

#define HEADERS(...) (const char *const[]){ __VA_ARGS__, NULL }

const struct user_column user_columns[USER_COLUMN_COUNT] = {
	{ COLUMN_EMAIL, "email", "E-mail", "Електронна пошта", "Электронная почта", HEADERS(
		"mail", "email address", "e-mail address", "mail address", "work email", "work e-mail", "business email",
		"corporate email", "contact email", "user email", "електронна адреса", "адреса електронної пошти", "ел. пошта",
		"ел. адреса", "пошта", "е-пошта", "e-пошта", "адреса е-пошти", "емейл", "імейл", "е-мейл", "мейл", "мейл адреса", "робоча пошта", "робочий email",
		"корпоративна пошта", "e-mail адреса", "е-mail", "электронный адрес", "адрес электронной почты", "эл. почта",
		"адрес эл. почты", "эл. адрес", "почта", "имейл", "емайл", "е-майл", "мыло", "рабочая почта", "рабочий email",
		"корпоративная почта", "e-mail адрес"), true },
	{ COLUMN_USERNAME, "username", "Username", "Логін", "Логин", HEADERS(
		"user name", "login", "login name", "user login", "account", "account name", "nickname", "sam account name",
		"samaccountname", "uid", "ім'я користувача", "обліковий запис", "нік", "нікнейм", "логін користувача",
		"имя пользователя", "учетная запись", "ник", "никнейм", "логин пользователя"), true },
	{ COLUMN_FIRST_NAME, "first_name", "First name", "Ім'я", "Имя", HEADERS(
		"firstname", "given name", "givenname", "forename", "fname", "christian name", "user first name",
		"employee first name", "імя", "власне ім'я", "ім'я співробітника", "ім'я працівника", "імена",
		"имя сотрудника", "имя работника", "собственное имя"), true },
	{ COLUMN_LAST_NAME, "last_name", "Last name", "Прізвище", "Фамилия", HEADERS(
		"lastname", "surname", "family name", "familyname", "lname", "second name", "sn", "user last name",
		"employee last name", "прізвище співробітника", "прізвище працівника", "призвище",
		"фамилия сотрудника", "фамилия работника"), true },
	{ COLUMN_PHONE, "phone", "Phone", "Телефон", "Телефон", HEADERS(
		"phone number", "telephone", "telephone number", "tel", "tel number", "mobile", "mobile phone", "mobile number",
		"cell", "cell phone", "cellphone", "work phone", "contact phone", "номер телефону", "моб. телефон",
		"мобільний", "мобільний телефон", "моб. номер", "тел", "телефони", "контактний телефон", "робочий телефон",
		"№ телефону", "номер телефона", "мобильный", "мобильный телефон", "сотовый", "сотовый телефон",
		"контактный телефон", "рабочий телефон", "№ телефона"), true },
	{ COLUMN_EXTERNAL_ID, "external_id", "External ID", "Зовнішній ID", "Внешний ID", HEADERS(
		"externalid", "employee id", "employeeid", "employee number", "employee no", "personnel number", "staff id",
		"staff number", "payroll number", "worker id", "external code", "external key", "hr id", "зовнішній код",
		"зовнішній ідентифікатор", "табельний номер", "таб. номер", "таб. №", "табельний №", "табельний",
		"код співробітника", "код працівника", "внешний код", "внешний идентификатор", "табельный номер",
		"табельный №", "табельный", "код сотрудника", "код работника"), true },
	{ COLUMN_KIND, "kind", "Kind", "Вид", "Вид", HEADERS(
		"type", "user type", "user kind", "employee type", "person type", "тип", "тип користувача",
		"вид користувача", "тип співробітника", "тип працівника", "тип пользователя", "вид пользователя",
		"тип сотрудника", "тип работника"), true },
	{ COLUMN_ROLE, "role", "Role", "Роль", "Роль", HEADERS(
		"roles", "user role", "role name", "access role", "access level", "ролі", "роль користувача", "назва ролі",
		"рівень доступу", "роли", "роль пользователя", "название роли", "уровень доступа"), true },
	{ COLUMN_DEPARTMENT, "department", "Department", "Відділ", "Отдел", HEADERS(
		"dept", "department name", "department path", "division", "unit", "org unit", "organizational unit",
		"organisational unit", "business unit", "підрозділ", "департамент", "назва відділу", "назва підрозділу",
		"структурний підрозділ", "цех", "подразделение", "название отдела", "название подразделения",
		"структурное подразделение"), true },
	{ COLUMN_POSITION, "position", "Position", "Посада", "Должность", HEADERS(
		"job title", "title", "job", "job position", "post", "occupation", "position title", "назва посади",
		"посада співробітника", "посада працівника", "професія", "должность сотрудника", "должность работника",
		"название должности", "профессия"), true },
	{ COLUMN_GROUPS, "groups", "Groups", "Групи", "Группы", HEADERS(
		"group", "user groups", "user group", "group names", "group name", "teams", "team", "група", "групи користувача",
		"група користувача", "команда", "команди", "группа", "группы пользователя", "группа пользователя", "команды"), true },
	{ COLUMN_LOCALE, "locale", "Language", "Мова", "Язык", HEADERS(
		"lang", "preferred language", "interface language", "user language", "мова інтерфейсу", "мова користувача",
		"локаль", "язык интерфейса", "язык пользователя"), true },
	{ COLUMN_STATUS, "status", "Status", "Статус", "Статус", HEADERS(
		"state", "user status", "account status", "стан", "статус користувача", "стан користувача", "состояние",
		"статус пользователя", "состояние пользователя"), true },
	{ COLUMN_PASSWORD_HASH, "password_hash", "Password hash", "Хеш пароля", "Хэш пароля", HEADERS(
		"passwordhash", "hash", "hashed password", "encrypted password", "password digest", "хеш", "геш пароля",
		"геш", "хэш"), false },
	{ COLUMN_ID, "id", "User ID", "ID користувача", "ID пользователя", HEADERS(
		"rollcall id", "uuid", "userid"), true },
	{ COLUMN_VERSION, "version", "Version", "Версія", "Версия", HEADERS(
		"user version", "версія запису", "версия записи"), true },
};

const struct user_column *
user_column_find(const char *key)
{
	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		if (strcmp(user_columns[i].key, key) == 0)
			return &user_columns[i];
	}
	return NULL;
}

const char *
user_column_label(const struct user_column *column, const char *language)
{
	if (text_equals(language, "uk"))
		return column->label_uk;
	return text_equals(language, "ru") ? column->label_ru : column->label_en;
}

/* ---- Headers. */

static bool
is_one_of(uint32_t code_point, const uint32_t *some)
{
	while (*some != 0 && *some != code_point)
		some++;
	return *some != 0;
}

static bool
is_gap(uint32_t code_point)
{
	static const uint32_t gaps[] = {
		' ', '\t', '\r', '\n', '_', '-', '.', 0xa0, 0x2007, 0x2009, 0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015,
		0x202f, 0x2212, 0x3000, 0
	};

	return is_one_of(code_point, gaps);
}

static bool
is_apostrophe(uint32_t code_point)
{
	static const uint32_t apostrophes[] = {
		'\'', '`', 0xb4, 0x2b9, 0x2bb, 0x2bc, 0x2bd, 0x2c8, 0x2018, 0x2019, 0x201b, 0x2032, 0xff07, 0
	};

	return is_one_of(code_point, apostrophes);
}

/* A byte order mark, spaces of no width, a soft hyphen. */
static bool
is_invisible(uint32_t code_point)
{
	static const uint32_t invisible[] = { 0xad, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff, 0 };

	return is_one_of(code_point, invisible);
}

/* й, ї, ё that come as a letter and a mark; ё is written without its dots as often as with. */
static bool
take_mark(struct buffer *out, uint32_t mark)
{
	static const struct {
		const char *letter;
		uint32_t mark;
		const char *whole;
	} pieces[] = { { "и", 0x306, "й" }, { "і", 0x308, "ї" }, { "е", 0x308, "е" } };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]) && out->length >= 2; i++) {
		if (mark == pieces[i].mark && memcmp(out->data + out->length - 2, pieces[i].letter, 2) == 0) {
			memcpy(out->data + out->length - 2, pieces[i].whole, 2);
			return true;
		}
	}
	return false;
}

static void
fold_character(struct buffer *folded, uint32_t code_point)
{
	char bytes[4];

	if (is_gap(code_point)) {
		if (folded->length > 0 && folded->data[folded->length - 1] != ' ')
			buffer_putc(folded, ' ');
	} else if (is_apostrophe(code_point)) {
		buffer_putc(folded, '\'');
	} else if (code_point == 0x451) {
		buffer_puts(folded, "е");
	} else if (!is_invisible(code_point) && !take_mark(folded, code_point)) {
		buffer_append(folded, bytes, utf8_encode(code_point, bytes));
	}
}

/* What stands at the end of a header means nothing: "E-mail *:". */
static void
strip_tail(struct buffer *folded)
{
	while (folded->length > 0 && strchr(" *:", folded->data[folded->length - 1]) != NULL)
		folded->length--;
}

void
user_column_fold(const char *header, struct buffer *out)
{
	struct buffer lower = BUFFER_INIT, folded = BUFFER_INIT;
	uint32_t code_point;
	size_t length;

	text_lower(&lower, header);
	for (const char *text = buffer_text(&lower); *text != '\0'; text += length) {
		length = utf8_decode(text, strnlen(text, 4), &code_point);
		if (length == 0)
			break;
		fold_character(&folded, code_point);
	}
	strip_tail(&folded);
	if (folded.length > 0)
		buffer_append(out, folded.data, folded.length);
	buffer_free(&folded);
	buffer_free(&lower);
}

static bool
is_written(const char *known, const char *folded)
{
	struct buffer out = BUFFER_INIT;

	user_column_fold(known, &out);
	const bool is_same = strcmp(buffer_text(&out), folded) == 0;
	buffer_free(&out);
	return is_same;
}

static bool
is_known_by(const struct user_column *column, const char *folded)
{
	if (is_written(column->key, folded) || is_written(column->label_en, folded) ||
		is_written(column->label_uk, folded) || is_written(column->label_ru, folded))
		return true;
	for (const char *const *header = column->headers; *header != NULL; header++) {
		if (is_written(*header, folded))
			return true;
	}
	return false;
}

/* Headers are few: some hundred foldings for each are nothing beside reading the file. */
const struct user_column *
user_column_of_header(const char *header)
{
	const struct user_column *found = NULL;
	struct buffer folded = BUFFER_INIT;

	user_column_fold(header, &folded);
	for (int i = 0; i < USER_COLUMN_COUNT && found == NULL && folded.length > 0; i++) {
		if (is_known_by(&user_columns[i], buffer_text(&folded)))
			found = &user_columns[i];
	}
	buffer_free(&folded);
	return found;
}
