#include "common/log_sink.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>

#include <array>
#include <memory>

namespace ds4::cli {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"error", "warning", "info", "debug", "trace"};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::trace:
      break;
  }
  return spdlog::level::trace;
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  return fail(Errc::invalid_argument, "expected error, warning, info, debug or trace, got '", name,
              "'");
}

LogSink stderr_log(LogLevel level, bool colors) {
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(
      colors ? spdlog::color_mode::always : spdlog::color_mode::never);
  auto logger = std::make_shared<spdlog::logger>("ds4", std::move(sink));
  logger->set_pattern("%n [%^%l%$] %v");
  logger->set_level(spdlog_level(level));
  logger->flush_on(spdlog::level::trace);
  return [logger](LogLevel at, std::string_view component, std::string_view text) {
    if (!logger->should_log(spdlog_level(at))) return;
    std::string line(component);
    if (!line.empty()) line.append(": ");
    logger->log(spdlog_level(at), line.append(text));
  };
}

}  // namespace ds4::cli
