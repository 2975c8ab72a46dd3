// Runs the op cases on one backend: each fused op directly and as its composition.
//
//   ds4-conformance <backend.so> [--op NAME] [--case TEXT] [--seed N] [--threads N] [--device N]
//
// Exit: 0 all agree, 1 a mismatch, 2 usage, 3 the backend could not be opened.

#include <charconv>
#include <iostream>

#include "tests/conformance/harness/suite.hpp"

namespace {

using namespace ds4::conformance;

struct Arguments {
  std::string backend;
  std::string op;
  SuiteOptions suite;
  std::uint32_t threads = 2;
  std::uint32_t device = 0;
};

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc() && end == text.data() + text.size();
}

bool read_arguments(int argc, char** argv, Arguments& out) {
  if (argc < 2 || argc % 2 != 0) return false;
  out.backend = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    const std::string_view value = argv[i + 1];
    if (key == "--op") {
      out.op = value;
    } else if (key == "--case") {
      out.suite.only_case = value;
    } else if (key == "--seed") {
      if (!read_number(value, out.suite.seed)) return false;
    } else if (key == "--threads") {
      if (!read_number(value, out.threads) || out.threads == 0) return false;
    } else if (key == "--device") {
      if (!read_number(value, out.device)) return false;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!read_arguments(argc, argv, arguments)) {
    std::cerr << "usage: ds4-conformance <backend.so> [--op NAME] [--case TEXT] [--seed N] "
                 "[--threads N] [--device N]\n";
    return 2;
  }
  auto backend = Backend::open(arguments.backend, arguments.device, arguments.threads);
  if (!backend) {
    std::cerr << "ds4-conformance: " << backend.error().what << '\n';
    return 3;
  }
  std::cout << (*backend)->title() << ", seed " << arguments.suite.seed << '\n';
  std::vector<OpReport> reports;
  bool ok = true;
  for (const OpCases& cases : all_cases()) {
    if (!arguments.op.empty() && cases.op != arguments.op) continue;
    Suite suite(**backend, cases.op, arguments.suite);
    suite.run_all(cases.run);
    reports.push_back(suite.report());
    ok = ok && reports.back().ok();
  }
  print_table(std::cout, reports);
  if (reports.empty()) {
    std::cerr << "ds4-conformance: no op is called " << arguments.op << '\n';
    return 2;
  }
  return ok ? 0 : 1;
}
