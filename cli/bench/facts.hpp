#pragma once

#include <string>
#include <vector>

#include "bench/options.hpp"
#include "bench/probe.hpp"
#include "bench/rows.hpp"
#include "common/json_writer.hpp"
#include "engine/engine.hpp"

namespace ds4::bench {

/// What a row does not say of a run: enough to judge whether two files can be compared.
struct RunFacts {
  std::string program;  ///< version line
  std::string started;  ///< UTC, ISO 8601
  std::string model;
  std::uint64_t model_bytes = 0;
  std::string types;  ///< of the tensors, by bytes: "iq2_xxs 48 %, q8_0 30 %"
  bool is_synthetic = false;
  std::string backend;
  std::string device;
  std::uint32_t threads = 0;
  std::uint32_t prefill_chunk = 0;
  std::uint32_t context = 0;
  std::string prompt;
  std::string processor;  ///< as the system names it
  BandwidthProbe probe;
  std::vector<std::string> arguments;
};

/// Facts of the program, this machine and a model.
[[nodiscard]] RunFacts model_facts(const ModelFile& model);
/// Facts of an opened engine; those of the command line are the caller's to fill.
[[nodiscard]] RunFacts facts_of(const Engine& engine);

/// As members of the object that `json` is in; a run without a sequence of tokens has none of its
/// facts.
void facts_members(cli::JsonWriter& json, const RunFacts& facts);
/// One JSON object.
[[nodiscard]] std::string facts_json(const RunFacts& facts);
/// Facts, rows and medians as one JSON object.
[[nodiscard]] std::string results_json(const RunFacts& facts, const std::vector<BenchRow>& rows);

}  // namespace ds4::bench
