/* build/words.h - splitting an instruction's arguments. Private to build/.
 *
 * All offsets are relative to the node's text. White space is ASCII white space. */
#pragma once
#include "build/dockerfile.h"

bool word_space(char c);
/* The "--flag=value" words at the start of text[*at..]; quotes and escapes are resolved. *at moves
 * to the first byte that is no flag. A lone "--" ends the flags. */
void words_flags(struct str text, size_t *at, char escape, struct arena *a, struct words *ret);
/* Words separated by white space; quotes group and stay in the word, escapes stay too (they are
 * resolved by expansion). ENV, LABEL, ARG. */
void words_quoted(struct str text, size_t at, char escape, struct arena *a, struct words *ret);
/* Words separated by white space, nothing else is special. */
void words_plain(struct str text, size_t at, struct arena *a, struct words *ret);
/* Everything from at on, trimmed, as one word; none when empty. */
void words_one(struct str text, size_t at, struct arena *a, struct words *ret);
/* Text as Go quotes it (strconv.Quote, printable characters kept): trees and history entries. */
void words_quote(struct buf *out, struct str s);
enum words_json { WORDS_NOT_JSON, WORDS_JSON, WORDS_JSON_NOT_STRINGS };
/* A JSON array of strings. */
enum words_json words_json(struct str text, size_t at, struct arena *a, struct words *ret);
