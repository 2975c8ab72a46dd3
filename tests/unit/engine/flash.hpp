#pragma once

#include <memory>

#include "model/model_file.hpp"
#include "tests/support/header_model.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {

/// A model file of which only the header exists.
struct HeaderModel {
  explicit HeaderModel(std::string_view shape) : HeaderModel(must(SyntheticSpec::make(shape))) {}
  explicit HeaderModel(const SyntheticSpec& spec) {
    const auto path = folder.path() / "model.gguf";
    must(write_header_model(path, spec));
    file = std::make_unique<ModelFile>(must(ModelFile::open(path, ModelChecks::header)));
  }
  TemporaryFolder folder;
  std::unique_ptr<ModelFile> file;
};

}  // namespace ds4::test
