/*
 * password_words: our own compact list. Letters stand for their look-alikes too
 * (password also matches p4$$w0rd), and runs on the keyboard are found by rule, so
 * neither is repeated here. A word shorter than four letters would be found in
 * random passwords and is left out.
 */
#include "password_words.h"

#include <stddef.h>

const char *const password_words[] = {
	/* What it is, and how one asks for it. */
	"password", "passwort", "passord", "passwd", "passphrase", "pass", "parola", "parole",
	"secret", "geheim", "hidden", "private", "secure", "security", "letmein", "openup",
	"opensesame", "sesame", "welcome", "willkommen", "hello", "access", "login", "logon",
	"signin", "enter", "entry", "unlock", "account", "changeme", "changeit", "change",
	"default", "temporary", "temp", "example", "sample", "demo", "test", "testing", "tester",
	"testtest", "qwerty", "qwertz", "azerty", "dvorak", "asdfgh", "zxcvbn", "qazwsx", "iloveyou",
	"ilove", "loveyou", "loveme", "trustno", "whatever", "nothing", "nopassword", "mypassword",
	"admin", "administrator", "root", "toor", "guest", "user",
	"users", "username", "manager", "master", "owner", "operator", "support", "service",
	"system", "server", "superuser", "supervisor", "sysadmin", "staff", "team", "company",
	"office", "business", "employee", "student", "teacher", "school", "public", "internet",
	"computer", "windows", "microsoft", "google", "facebook", "apple", "android", "samsung",
	"linux", "ubuntu", "oracle", "database", "postgres", "mysql", "docker", "cisco", "network",
	"rollcall", "invitation",
	/* Seasons, months, days. */
	"spring", "summer", "autumn", "winter", "january", "february", "march", "april", "june",
	"july", "august", "september", "october", "november", "december", "monday", "tuesday",
	"wednesday", "thursday", "friday", "saturday", "sunday", "today", "holiday", "birthday",
	"christmas", "newyear",
	/* What is loved. */
	"love", "lover", "lovely", "sweet", "sweetheart", "honey", "baby", "babygirl", "angel",
	"princess", "prince", "queen", "king", "beautiful", "sexy", "kiss", "heart", "forever",
	"family", "mother", "father", "mommy", "daddy", "sister", "brother", "friend", "friends",
	"bestfriend", "darling", "sunshine", "sunny", "rainbow", "flower", "butterfly", "cookie",
	"chocolate", "coffee", "banana", "orange", "cherry", "pepper", "ginger", "peanut", "cheese",
	"pizza", "happy", "smile", "lucky", "freedom", "heaven", "jesus", "christ", "money",
	"million", "dollar", "diamond", "golden", "silver", "purple", "yellow", "black", "white",
	"green", "blue", "blessed", "peace", "power", "magic", "mystery", "dream", "summertime",
	/* Animals. */
	"dragon", "monkey", "tiger", "lion", "eagle", "falcon", "wolf", "bear", "panther", "jaguar",
	"mustang", "horse", "turtle", "dolphin", "shark", "snake", "spider", "rabbit", "bunny",
	"kitten", "kitty", "puppy", "buster", "fluffy", "chicken", "donkey", "phoenix", "scorpion",
	"panda", "unicorn",
	/* Heroes, games, sports. */
	"batman", "superman", "spiderman", "ironman", "starwars", "startrek", "skywalker", "yoda",
	"matrix", "merlin", "gandalf", "hobbit", "harrypotter", "potter", "pokemon", "pikachu",
	"naruto", "minecraft", "fortnite", "roblox", "playstation", "nintendo", "mario", "zelda",
	"warcraft", "counter", "killer", "hunter", "ranger", "soldier", "warrior", "knight",
	"ninja", "pirate", "viking", "rambo", "terminator", "gangster", "rockstar", "legend",
	"football", "soccer", "baseball", "basketball", "hockey", "tennis", "golfer", "golf",
	"liverpool", "chelsea", "arsenal", "barcelona", "realmadrid", "juventus", "manchester",
	"united", "yankees", "cowboys", "lakers", "steelers", "eagles", "ferrari", "porsche",
	"mercedes", "harley", "corvette", "camaro", "yamaha", "honda", "toyota", "guitar", "music",
	"metallica", "nirvana", "slipknot", "eminem", "beatles", "blink",
	/* Names. */
	"michael", "jordan", "daniel", "thomas", "robert", "andrew", "joshua", "matthew", "anthony",
	"william", "charlie", "george", "jessica", "jennifer", "michelle", "ashley", "amanda",
	"nicole", "hannah", "samantha", "elizabeth", "victoria", "stephanie", "natasha", "maria",
	"anna", "alex", "alexander", "alexandra", "andrea", "martin", "peter", "patrick", "richard",
	"david", "james", "john", "maggie", "sophie", "oliver", "tigger", "shadow", "scooter",
	"bailey", "taylor", "austin", "dakota", "phoebe", "cooper", "tucker", "jackson", "harry",
	"donald", "trump", "vladimir", "sergey", "dmitry", "andrey", "oksana", "olena", "tetiana",
	/* Places. */
	"london", "paris", "berlin", "newyork", "america", "england", "germany", "france", "russia",
	"ukraine", "ukraina", "kyiv", "kiev", "lviv", "odessa", "odesa", "kharkiv", "moscow",
	"california", "texas", "brooklyn", "canada", "mexico", "brazil", "europe", "africa",
	/* Insults and bravado. */
	"fuck", "fuckyou", "fuckoff", "asshole", "bitch", "shit", "bullshit", "pussy", "dick",
	"sucker", "bastard", "loser", "idiot", "stupid", "crazy", "cool", "awesome", "badass",
	"number", "first", "winner", "champion", "biteme", "biggie", "hardcore", "ladies",
	/* In the Latin letters and in the keys of the Cyrillic layout. */
	"parol", "ghbdtn", "gfhjkm", "kjkbnf", "privet", "lubov", "lyubov", "solnce", "krasotka",
	"zvezda", "spartak", "dinamo", "shakhtar", "slava", "slavaukraini", "koxanna", "kohannya",
	"sonechko", "babushka", "matryoshka",
	/* Russian and Ukrainian. */
	"пароль", "пароли", "паролі", "секрет", "привет", "привіт", "здравствуй", "вход", "вхід",
	"админ", "адмін", "администратор", "адміністратор", "любовь", "любов", "люблю", "тебя",
	"тебе", "кохання", "кохаю", "солнце", "солнышко", "сонце", "сонечко", "зайка", "зайчик",
	"котик", "котенок", "кошка", "кішка", "собака", "красотка", "принцесса", "принцеса",
	"мама", "папа", "тато", "семья", "родина", "сім'я", "счастье", "щастя", "жизнь", "життя",
	"дружба", "весна", "лето", "літо", "осень", "осінь", "зима", "январь", "декабрь", "марина",
	"наташа", "настя", "саша", "сергей", "сергій", "андрей", "андрій", "дмитрий", "дмитро",
	"александр", "олександр", "максим", "татьяна", "тетяна", "оксана", "олена", "елена",
	"екатерина", "катерина", "виктория", "вікторія", "украина", "україна", "слава", "киев",
	"київ", "москва", "россия", "одесса", "одеса", "львів", "спартак", "динамо", "шахтер",
	"шахтар", "футбол", "звезда", "зірка", "дракон", "тест", "гость", "гість", "компания",
	NULL
};
