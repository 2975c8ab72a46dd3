#include "inspect/digest.hpp"

#include <openssl/evp.h>
#include <xxhash.h>

#include <array>
#include <new>
#include <string_view>

namespace ds4::inspect {
namespace {

std::string hexadecimal(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15U]);
  }
  return text;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr ||
      EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
    EVP_MD_CTX_free(state_->context);
    throw std::bad_alloc();  // the only way in which this fails
  }
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(state_->context);
}

void Sha256::add(std::span<const std::byte> bytes) {
  (void)EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string Sha256::text() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  (void)EVP_DigestFinal_ex(state_->context, digest.data(), &length);
  return hexadecimal(std::span(digest).first(length));
}

struct Xxh3::State {
  XXH3_state_t* context = XXH3_createState();
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
  (void)XXH3_64bits_reset(state_->context);
}

Xxh3::~Xxh3() {
  (void)XXH3_freeState(state_->context);
}

void Xxh3::add(std::span<const std::byte> bytes) {
  (void)XXH3_64bits_update(state_->context, bytes.data(), bytes.size());
}

std::string Xxh3::text() const {
  XXH64_canonical_t canonical;
  XXH64_canonicalFromHash(&canonical, XXH3_64bits_digest(state_->context));
  return hexadecimal(canonical.digest);
}

}  // namespace ds4::inspect
