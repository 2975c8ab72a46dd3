#pragma once

#include <ostream>

#include "ds4/backend.h"
#include "loader/reason.hpp"

namespace ds4::tests {

/// A backend that is broken on purpose: bad/<name with _>.c, or bad/good.c with another constant.
struct BadCase {
  const char* name;
  plugins::Reason reason;
  const char* text;  ///< a part of the message
};

inline std::ostream& operator<<(std::ostream& out, const BadCase& c) {
  return out << c.name;
}

inline constexpr BadCase kBadCases[] = {
    {"no-note", plugins::Reason::no_note, "has no ds4 note"},
    {"two-notes", plugins::Reason::no_note, "has 2 ds4 notes"},
    {"note-unterminated", plugins::Reason::no_note, "not terminated"},
    {"note-name", plugins::Reason::name_mismatch, "\"someone-else\""},
    {"note-kind", plugins::Reason::name_mismatch, "kind 77"},
    {"note-major", plugins::Reason::abi_major, "needs ABI 9.0"},
    {"note-minor", plugins::Reason::abi_minor, "needs ABI 0.99"},
    {"note-sanitizer", plugins::Reason::sanitizer, "build both alike"},
    {"isa", plugins::Reason::isa, "which this processor lacks"},
    {"missing-entry", plugins::Reason::no_entry, "does not export ds4_backend_entry_0"},
    {"entry-other-major", plugins::Reason::no_entry,
     "exports ds4_backend_entry_2, this runtime speaks 0"},
    {"extra-symbol", plugins::Reason::leaks_symbols, "exports ds4_test_leaked"},
    {"good-stack", plugins::Reason::unsafe_elf, "executable stack"},
    {"good-rpath", plugins::Reason::unsafe_elf, "RPATH"},
    {"unresolved", plugins::Reason::dlopen, "ds4_test_nowhere"},
    {"good-gone", plugins::Reason::dlopen, "libds4-test-gone.so"},
    {"entry-error", plugins::Reason::entry_failed, "entry says no"},
    {"entry-null", plugins::Reason::entry_failed, "without a table"},
    {"throws-in-entry", plugins::Reason::entry_failed, "thrown by an entry"},
    {"table-short", plugins::Reason::bad_table, "its table has 8 bytes"},
    {"table-null-function", plugins::Reason::bad_table, "enqueue"},
    {"table-other-minor", plugins::Reason::bad_table, "its table speaks ABI"},
    {"described-name", plugins::Reason::name_mismatch, "describes itself as \"other\""},
    {"count-changes", plugins::Reason::no_device, "must not change between two calls"},
    {"one-id", plugins::Reason::no_device, "devices 0 and 1 have the same unique_id"},
    {"no-devices", plugins::Reason::no_device, "no driver (libacme.so.1 not found)"},
    {"score-high", plugins::Reason::no_device, "claims score 999"},
    {"score-zero", plugins::Reason::no_device, "needs a moon"},
    {"score-silent", plugins::Reason::no_device, "score 0 without a reason"},
    {"exits-in-ctor", plugins::Reason::probe, "ended with status "},
    {"illegal-in-ctor", plugins::Reason::probe, "killed by SIG"},
    {"leaks-thread", plugins::Reason::probe, "running behind its entry"},
    {"changes-cwd", plugins::Reason::probe, "changed the working directory to /"},
    {"blocks-signals", plugins::Reason::probe, "changed the signal mask"},
#if !DS4_BUILD_SANITIZED
    {"throws-in-ctor", plugins::Reason::probe, "killed by SIGABRT"},
    {"throws-static", plugins::Reason::probe, "killed by SIGABRT"},
#endif
};

}  // namespace ds4::tests
