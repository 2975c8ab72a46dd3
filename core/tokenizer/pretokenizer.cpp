#include "tokenizer/pretokenizer.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "tokenizer/ascii_split.hpp"
#include "tokenizer/utf8.hpp"

namespace ds4 {
namespace {

// PCRE2's \s also matches U+180E, which is no White_Space since Unicode 6.3; so it is written out.
#define DS4_WHITE_SPACE                                                     \
  "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}" \
  "\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

constexpr std::string_view kNumbers = "\\p{N}{1,3}";
constexpr std::string_view kCjk = "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+";
constexpr std::string_view kWords =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*"
    "|[" DS4_WHITE_SPACE
    "]*[\\r\\n]+"
    "|[" DS4_WHITE_SPACE "]+(?![^" DS4_WHITE_SPACE
    "])"
    "|[" DS4_WHITE_SPACE "]+";

#undef DS4_WHITE_SPACE

struct CodeDeleter {
  void operator()(pcre2_code* code) const noexcept { pcre2_code_free(code); }
};
struct MatchDeleter {
  void operator()(pcre2_match_data* data) const noexcept { pcre2_match_data_free(data); }
};
struct LimitsDeleter {
  void operator()(pcre2_match_context* limits) const noexcept { pcre2_match_context_free(limits); }
};
using Code = std::unique_ptr<pcre2_code, CodeDeleter>;
using Match = std::unique_ptr<pcre2_match_data, MatchDeleter>;
using Limits = std::unique_ptr<pcre2_match_context, LimitsDeleter>;

std::string pcre2_text(int code) {
  std::array<PCRE2_UCHAR, 128> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

Result<Code> compile(std::string_view pattern) {
  int error = 0;
  PCRE2_SIZE where = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF,
                          &error, &where, nullptr));
  if (!code) {
    return fail(Errc::internal, "PCRE2 refuses the split pattern at offset ", where, ": ",
                pcre2_text(error));
  }
  // Without a just-in-time compiler for this machine the interpreter gives the same matches.
  static_cast<void>(pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE));
  return code;
}

struct Range {
  std::size_t begin;
  std::size_t end;
};

// Cuts ranges of one text by one pattern; offsets are those of the text.
class Isolator {
 public:
  Isolator(const pcre2_code* code, std::string_view text, pcre2_match_data* match,
           pcre2_match_context* limits)
      : code_(code), text_(text), match_(match), limits_(limits) {}

  // Calls gap(range) and hit(range) for what lies in `range`, in order.
  template <class Gap, class Hit>
  Result<void> cut(Range range, const Gap& gap, const Hit& hit) const {
    const std::string_view piece = text_.substr(range.begin, range.end - range.begin);
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(piece.data());
    std::size_t at = 0;
    while (at < piece.size()) {
      const int found =
          pcre2_match(code_, subject, piece.size(), at, PCRE2_NO_UTF_CHECK, match_, limits_);
      if (found == PCRE2_ERROR_NOMATCH) break;
      if (found < 0) {
        return fail(Errc::internal, "PCRE2 can not split a text of ", piece.size(),
                    " bytes: ", pcre2_text(found));
      }
      // Copied, because gap() and hit() use the same match data for the next stage.
      const PCRE2_SIZE* where = pcre2_get_ovector_pointer(match_);
      const std::size_t begin = where[0];
      const std::size_t end = where[1];
      if (begin > at) DS4_CHECK(gap(Range{range.begin + at, range.begin + begin}));
      DS4_CHECK(hit(Range{range.begin + begin, range.begin + end}));
      at = end;
    }
    if (at < piece.size()) return gap(Range{range.begin + at, range.end});
    return {};
  }

 private:
  const pcre2_code* code_;
  std::string_view text_;
  pcre2_match_data* match_;
  pcre2_match_context* limits_;
};

bool is_ascii(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (static_cast<std::uint8_t>(c) & 0x80U) != 0; });
}

// The text with U+0001 for each byte outside well-formed UTF-8: in no class of any pattern, and of
// the same length, so offsets stay. Empty if nothing is to be replaced.
std::string without_invalid(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_sequence_length(text.substr(at, 4));
    if (length == 0) {
      if (out.empty()) out = text;
      out[at] = '\x01';
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

}  // namespace

struct Pretokenizer::Patterns {
  Code numbers;
  Code cjk;
  Code words;
};

Pretokenizer::Pretokenizer(std::shared_ptr<const Patterns> patterns)
    : patterns_(std::move(patterns)) {}

Result<Pretokenizer> Pretokenizer::make() {
  auto patterns = std::make_shared<Patterns>();
  DS4_TRY(patterns->numbers, compile(kNumbers));
  DS4_TRY(patterns->cjk, compile(kCjk));
  DS4_TRY(patterns->words, compile(kWords));
  return Pretokenizer(std::move(patterns));
}

Result<void> Pretokenizer::run(std::string_view text, bool shortcut,
                               std::vector<std::size_t>& ends) const {
  const std::string replaced = without_invalid(text);
  if (!replaced.empty()) text = replaced;
  const Match match(pcre2_match_data_create(1, nullptr));
  const Limits limits(pcre2_match_context_create(nullptr));
  if (!match || !limits) return fail(Errc::out_of_memory, "no memory to split text");
  // A run of white space is given back one character at a time, each of which counts. The patterns
  // take linear time, so no run needs to be refused for its length.
  pcre2_set_match_limit(limits.get(), std::numeric_limits<std::uint32_t>::max());
  const Isolator numbers(patterns_->numbers.get(), text, match.get(), limits.get());
  const Isolator cjk(patterns_->cjk.get(), text, match.get(), limits.get());
  const Isolator words(patterns_->words.get(), text, match.get(), limits.get());

  const auto emit = [&](Range range) -> Result<void> {
    ends.push_back(range.end);
    return {};
  };
  const auto third = [&](Range range) -> Result<void> {
    const std::string_view piece = text.substr(range.begin, range.end - range.begin);
    if (shortcut && is_ascii(piece)) {
      split_ascii_words(piece, range.begin, ends);
      return {};
    }
    return words.cut(range, emit, emit);
  };
  const auto second = [&](Range range) -> Result<void> { return cjk.cut(range, third, third); };
  // Numbers match no later pattern, so they need not pass through them.
  return numbers.cut(Range{0, text.size()}, second, emit);
}

Result<void> Pretokenizer::split(std::string_view text, std::vector<std::size_t>& ends) const {
  ends.clear();
  if (is_ascii(text)) {
    split_ascii(text, 0, ends);
    return {};
  }
  return run(text, true, ends);
}

Result<void> Pretokenizer::split_by_patterns(std::string_view text,
                                             std::vector<std::size_t>& ends) const {
  ends.clear();
  return run(text, false, ends);
}

std::size_t Pretokenizer::independent_prefix(std::string_view text) noexcept {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (at + 1 < text.size() && text[at + 1] > ' ' && text[at + 1] < '\x7F') return at + 1;
  }
  return text.size();
}

}  // namespace ds4
