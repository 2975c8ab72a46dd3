#include "common/runtime_options.hpp"

#include <algorithm>
#include <thread>

#include "common/log_sink.hpp"
#include "common/numbers.hpp"
#include "model/synthetic.hpp"

namespace ds4::cli {
namespace {

Result<plugins::ListingStyle> parse_listing(std::string_view text) {
  if (text.empty() || text == "text") return plugins::ListingStyle::table;
  if (text == "json") return plugins::ListingStyle::json;
  if (text == "verbose") return plugins::ListingStyle::verbose;
  return fail(Errc::invalid_argument, "expected text, json or verbose, got '", text, "'");
}

Result<plugins::ProbePolicy> parse_probe(std::string_view text) {
  if (text == "auto") return plugins::ProbePolicy::automatic;
  if (text == "always") return plugins::ProbePolicy::always;
  if (text == "never") return plugins::ProbePolicy::never;
  return fail(Errc::invalid_argument, "expected auto, always or never, got '", text, "'");
}

Result<ColorMode> parse_color(std::string_view text) {
  if (text == "auto") return ColorMode::automatic;
  if (text == "always") return ColorMode::always;
  if (text == "never") return ColorMode::never;
  return fail(Errc::invalid_argument, "expected auto, always or never, got '", text, "'");
}

// Relative paths are meant from where the program was started; the search takes absolute ones only.
OptionTable::Take collect_path(std::vector<std::filesystem::path>& target) {
  return [&target](const std::string& text) -> Result<void> {
    if (text.empty()) return fail(Errc::invalid_argument, "expected a path, got ''");
    std::error_code error;
    std::filesystem::path path = std::filesystem::absolute(text, error);
    if (error) return fail(Errc::invalid_argument, text, ": ", error.message());
    target.push_back(path.lexically_normal());
    return {};
  };
}

Result<void> set_backend(RuntimeOptions& options, const std::string& text) {
  DS4_TRY([[maybe_unused]] const auto request, plugins::parse_backend_request(text));
  if (options.placement) {
    return fail(Errc::invalid_argument,
                "cannot be used together with --place, which names a backend for each layer");
  }
  if (options.backend_given && options.backend != text) {
    return fail(Errc::invalid_argument, "asks for ", text, ", but ", options.backend,
                " was asked for already");
  }
  options.backend = text;
  options.backend_given = true;
  return {};
}

Result<void> set_placement(RuntimeOptions& options, const std::string& text) {
  if (options.backend_given) {
    return fail(Errc::invalid_argument, "cannot be used together with --backend ", options.backend,
                "; --place names a backend for each layer");
  }
  DS4_TRY(options.placement, plugins::PlacementRequest::parse(text));
  return {};
}

template <class T, class Parse>
OptionTable::Take store_parsed(T& target, Parse parse) {
  return [&target, parse](const std::string& text) -> Result<void> {
    DS4_TRY(target, parse(text));
    return {};
  };
}

void declare_backend_options(OptionTable& table, RuntimeOptions& options) {
  const auto backend = [&options](const std::string& text) { return set_backend(options, text); };
  table.value("--backend", "NAME[:N]", Topic::common,
              "backend and device; auto (default) takes the best that is there", backend,
              OptionTable::Repeat::collected);
  for (const char* name : {"cpu", "cuda", "metal"}) {
    table.alias(std::string("--") + name, Topic::runtime, std::string("same as --backend ") + name,
                [backend, name = std::string(name)] { return backend(name); });
  }
  table.value(
      "--place", "A-B=BACKEND,...", Topic::runtime,
      "layers A to B on that backend, others on others; also embed=BACKEND and head=BACKEND",
      [&options](const std::string& text) { return set_placement(options, text); },
      OptionTable::Repeat::refused);
  table.value("--backend-path", "PATH", Topic::runtime,
              "a backend file, or a folder of them, to look at first; repeatable",
              collect_path(options.backend_paths), OptionTable::Repeat::collected);
  table.value(
      "--backend-option", "B.KEY=VALUE", Topic::runtime, "an option of backend B; repeatable",
      [&options](const std::string& text) {
        return plugins::add_backend_option(options.backend_options, text);
      },
      OptionTable::Repeat::collected);
  table.value("--allow-untrusted-backend", "PATH", Topic::runtime,
              "accept this file or folder whoever owns or can write it; repeatable",
              collect_path(options.allow_untrusted), OptionTable::Repeat::collected);
  table.optional_value("--list-backends", "text|json|verbose", Topic::common,
                       "list every backend found, usable or not and why, and exit",
                       [&options](const std::string& text) -> Result<void> {
                         DS4_TRY(options.list_backends, parse_listing(text));
                         return {};
                       });
  table.value("--probe", "auto|always|never", Topic::runtime,
              "try backends in a process of their own first (default auto)",
              store_parsed(options.probe, parse_probe));
}

// A file is looked at when it is opened; a name that says no model is wrong usage.
OptionTable::Take store_model(std::string& target) {
  return [&target](const std::string& text) -> Result<void> {
    if (is_synthetic_name(text)) {
      if (const auto spec = SyntheticSpec::parse(text); !spec) return spec.error();
    }
    target = text;
    return {};
  };
}

}  // namespace

OptionTable::Take store_integer(std::uint32_t& target, std::uint64_t low, std::uint64_t high) {
  return [&target, low, high](const std::string& text) -> Result<void> {
    DS4_TRY(const std::uint64_t value, parse_integer(text, low, high));
    target = static_cast<std::uint32_t>(value);
    return {};
  };
}

OptionTable::Take store_float(float& target, float low, float high) {
  return [&target, low, high](const std::string& text) -> Result<void> {
    DS4_TRY(target, parse_float(text, low, high));
    return {};
  };
}

OptionTable::Take store_text(std::string& target) {
  return [&target](const std::string& text) -> Result<void> {
    target = text;
    return {};
  };
}

void declare_runtime_options(OptionTable& table, RuntimeOptions& options) {
  table.value("-m,--model", "FILE", Topic::common,
              "GGUF file (default: DS4_MODEL, else ds4flash.gguf), or synthetic:SHAPE, random "
              "weights made while loading; see docs/testing.md",
              store_model(options.model));
  declare_backend_options(table, options);
  table.value("-c,--ctx", "N", Topic::common, "context tokens to allocate (default 32768)",
              store_integer(options.context, 1, kMaxInteger));
  table.value("-t,--threads", "N", Topic::runtime,
              "host threads (default: all processors, at most 32)",
              store_integer(options.threads, 1, kMaxThreads));
  table.value("--prefill-chunk", "N", Topic::runtime,
              "most prompt tokens of one step (default 512)",
              store_integer(options.prefill_chunk, 1, 65536));
  table.flag("--no-kv-fp8", Topic::diagnostics,
             "leave out the fp8 rounding of KV rows (to compare with other programs)",
             [&options] { options.roundings.kv_fp8 = false; });
  table.flag("--no-row-storage", Topic::diagnostics,
             "keep KV rows in 32-bit floats instead of their stored form",
             [&options] { options.roundings.row_storage = false; });
  table.flag("--no-index-fp4", Topic::diagnostics, "leave out the fp4 rounding of indexer rows",
             [&options] { options.roundings.index_fp4 = false; });
  table.value("--log-level", "LEVEL", Topic::runtime,
              "error, warning (default), info, debug or trace",
              store_parsed(options.log_level, parse_log_level));
  table.value("--color", "auto|always|never", Topic::common,
              "colour; auto (default) means on a terminal, unless NO_COLOR is set",
              store_parsed(options.color, parse_color));
  table.flag("--version", Topic::common, "print version, commit and backends, and exit",
             [&options] { options.shows_version = true; });
  table.optional_value("-h,--help", "TOPIC", Topic::common, "print help and exit",
                       [&options](const std::string& topic) -> Result<void> {
                         options.help = topic;
                         return {};
                       });
}

void declare_plan_option(OptionTable& table, RuntimeOptions& options) {
  table.flag("--plan", Topic::common,
             "print the memory that the model would take with these options, and exit",
             [&options] { options.shows_plan = true; });
}

void declare_unavailable_options(OptionTable& table) {
  for (const char* name : {"--mtp", "--mtp-draft", "--mtp-margin", "--dspark",
                           "--dspark-confidence", "--dspark-strict"}) {
    table.unavailable(name, "speculative decoding");
  }
  table.unavailable("--power", "a power limit");
  table.unavailable("--quality", "approximate kernels that could be switched off");
  table.unavailable("--warm-weights", "a warm-up of weight pages");
  table.unavailable("--simulate-used-memory", "a memory simulation");
  table.unavailable("--deterministic", "a deterministic mode");
  for (const char* name : {"--dir-steering-file", "--dir-steering-ffn", "--dir-steering-attn"}) {
    table.unavailable(name, "steering");
  }
  for (const char* name : {"--imatrix-dataset", "--imatrix-out"}) {
    table.unavailable(name, "importance matrices");
  }
}

std::vector<std::string> backend_requests(const RuntimeOptions& options) {
  return options.placement ? options.placement->backends() : std::vector{options.backend};
}

Result<void> check_placement(const RuntimeOptions& options, std::uint32_t layers) {
  if (!options.placement) return {};
  const auto fitting = options.placement->for_layers(layers);
  if (!fitting) return fitting.error().in("--place ", options.placement->text());
  return {};
}

std::string model_path(const RuntimeOptions& options, const Environment& environment) {
  if (!options.model.empty()) return options.model;
  return environment.model.empty() ? std::string(kDefaultModel) : environment.model;
}

plugins::BackendSearchOptions search_options(const RuntimeOptions& options,
                                             const Environment& environment) {
  plugins::BackendSearchOptions search = plugins::default_search_options();
  search.explicit_paths = options.backend_paths;
  search.environment_path = environment.backend_path;
  search.environment_only = environment.backend_path_only;
  search.user_data_directory = environment.data_home;
  if (!environment.cache_home.empty()) search.cache_directory = environment.cache_home / "ds4";
  search.allow_untrusted = options.allow_untrusted;
  search.probe = options.probe;
  return search;
}

std::uint32_t thread_count(const RuntimeOptions& options) {
  if (options.threads != 0) return options.threads;
  return std::clamp(static_cast<std::uint32_t>(std::thread::hardware_concurrency()), 1U,
                    kMaxThreads);
}

}  // namespace ds4::cli
