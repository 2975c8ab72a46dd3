#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ds4::cli {

/// Where an option appears in the help.
enum class Topic { common, runtime, sampling, diagnostics };

/// The options of a program: one table from which the command line is parsed and help is written.
class OptionTable {
 public:
  using Take = std::function<Result<void>(const std::string&)>;

  /// How often an option may stand on a command line.
  enum class Repeat {
    last_counts,  ///< a later one replaces an earlier one
    refused,
    collected,  ///< `take` is called for each
  };

  OptionTable(std::string program, std::string summary);

  /// names: "--tokens" or "-n,--tokens". value: what help calls it, "N". help: one line.
  void value(std::string names, std::string value, Topic topic, std::string help, Take take,
             Repeat repeat = Repeat::last_counts);
  /// An option whose value may be left out (`take` then gets ""); written `--name=VALUE`.
  void optional_value(std::string names, std::string value, Topic topic, std::string help,
                      Take take);
  void flag(std::string names, Topic topic, std::string help, std::function<void()> take);
  /// A flag whose effect can be refused.
  void alias(std::string names, Topic topic, std::string help, std::function<Result<void>()> take);
  /// An option that other versions have: using it is a usage error that says `what` is missing.
  /// A value after it is not looked at.
  void unavailable(std::string names, std::string what);
  /// Takes the arguments that are no options, in their order; without it they are errors.
  void arguments(Take take) { take_argument_ = std::move(take); }
  /// A further topic of the help: free text.
  void text_topic(std::string name, std::string text);

  /// Takes the arguments after the program's name.
  /// Errors: invalid_argument with one line; not_found for an option that does not exist.
  Result<void> parse(const std::vector<std::string>& arguments) const;

  /// The help of a topic ("" = the common options). An unknown topic says so first.
  [[nodiscard]] std::string help(std::string_view topic, bool colors) const;

 private:
  enum class Kind { value, optional_value, flag, unavailable };
  struct Option {
    Kind kind;
    std::string names;
    std::string value;
    Topic topic = Topic::common;
    std::string help;
    Take take;
    Repeat repeat = Repeat::last_counts;
  };
  struct TextTopic {
    std::string name;
    std::string text;
  };
  void append_options(std::string& out, Topic topic, bool colors) const;
  [[nodiscard]] std::string topic_names() const;

  std::string program_;
  std::string summary_;
  std::vector<Option> options_;
  std::vector<TextTopic> texts_;
  Take take_argument_;
};

}  // namespace ds4::cli
