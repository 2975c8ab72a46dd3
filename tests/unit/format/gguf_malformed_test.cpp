// Files that break one rule each; every one must be refused with a line that says where and why.
#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <vector>

#include "format/gguf_reader.hpp"
#include "tests/unit/format/gguf_bytes.hpp"

namespace {

struct Case {
  std::string name;
  std::string expected;  // part of the message
  std::function<void(GgufBytes&)> build;
};

const std::string kLongName(1024, 'n');
const std::string kLongKey(200, 'k');
const std::string kShownKey = "'" + std::string(77, 'k') + "...'";

std::vector<Case> head_cases() {
  return {
      {"empty file", "offset 0: the file has 0 bytes, a GGUF head has 24", [](GgufBytes&) {}},
      {"23 bytes", "the file has 23 bytes",
       [](GgufBytes& b) { b.u32(0x46554747).u32(3).u64(0).u32(0).u8(0).u8(0).u8(0); }},
      {"other magic", "not a GGUF file",
       [](GgufBytes& b) { b.u32(0x4B504B50).u32(3).u64(0).u64(0); }},
      {"byte-swapped magic", "the magic is byte-swapped",
       [](GgufBytes& b) { b.u32(0x47475546).u32(3).u64(0).u64(0); }},
      {"byte-swapped version", "offset 4: the version is byte-swapped",
       [](GgufBytes& b) { b.head(0, 0, 0x03000000); }},
      {"version 1", "offset 4: GGUF version 1 is not supported",
       [](GgufBytes& b) { b.head(0, 0, 1); }},
      {"version 4", "GGUF version 4 is not supported", [](GgufBytes& b) { b.head(0, 0, 4); }},
      {"tensor count beyond the cap", "offset 8: tensor count is 1000001",
       [](GgufBytes& b) { b.head(1000001, 0); }},
      {"metadata count beyond the cap", "offset 16: metadata count is 18446744073709551615",
       [](GgufBytes& b) { b.head(0, UINT64_MAX); }},
      {"more tensors than bytes", "tensor count is 1000, too many for the 8 bytes that remain",
       [](GgufBytes& b) { b.head(1000, 0); }},
      {"more entries than bytes", "metadata count is 5, too many for the 12 bytes",
       [](GgufBytes& b) { b.head(0, 5).pad(1, 12); }},
  };
}

std::vector<Case> metadata_cases() {
  return {
      {"key longer than the file", "metadata key needs 60000 bytes",
       [](GgufBytes& b) { b.head(0, 1).u64(60000).pad(1, 40); }},
      {"key length beyond the cap", "metadata key has length 65536, at most 65535",
       [](GgufBytes& b) { b.head(0, 1).u64(65536).pad(1, 70000); }},
      {"key length near 2^64", "metadata key has length 18446744073709551615",
       [](GgufBytes& b) { b.head(0, 1).u64(UINT64_MAX).pad(1, 40); }},
      {"empty key", "metadata key is empty",
       [](GgufBytes& b) { b.head(0, 1).key("", 4).u32(1).pad(1, 8); }},
      {"NUL in a key", "metadata key contains a NUL byte",
       [](GgufBytes& b) {
         b.head(0, 1).key({"a\0b", 3}, 4).u32(1);
       }},
      {"duplicate key", "metadata key 'k' appears twice",
       [](GgufBytes& b) { b.head(0, 2).key("k", 4).u32(1).key("k", 4).u32(2); }},
      {"long key", "metadata key " + kShownKey + " appears twice",
       [](GgufBytes& b) { b.head(0, 2).key(kLongKey, 4).u32(1).key(kLongKey, 4).u32(2); }},
      {"key that is no printable text", "key 'a?[31m??b' has unknown value type 13",
       [](GgufBytes& b) {
         b.head(0, 1)
             .key(
                 "a\x1b[31m\n\xff"
                 "b",
                 13)
             .u32(1);
       }},
      {"long key of a string cut off", "value of key " + kShownKey + " needs 9 bytes",
       [](GgufBytes& b) { b.head(0, 1).key(kLongKey, 8).u64(9).u8(1); }},
      {"unknown value type", "key 'k' has unknown value type 13",
       [](GgufBytes& b) { b.head(0, 1).key("k", 13).u32(1); }},
      {"unknown element type", "key 'k' has unknown value type 77",
       [](GgufBytes& b) { b.head(0, 1).array("k", 77, 1).u32(1); }},
      {"scalar cut off", "metadata value needs 8 bytes, 4 remain",
       [](GgufBytes& b) { b.head(0, 1).key("k", 10).u32(1); }},
      {"string cut off", "value of key 'k' needs 9 bytes, 1 remain",
       [](GgufBytes& b) { b.head(0, 1).key("k", 8).u64(9).u8(1); }},
      {"string length near 2^64", "needs 18446744073709551608 bytes",
       [](GgufBytes& b) { b.head(0, 1).key("k", 8).u64(UINT64_MAX - 7).u8(1); }},
      {"array longer than the file", "key 'k' claims 1000 elements of u32",
       [](GgufBytes& b) { b.head(0, 1).array("k", 4, 1000).u32(1); }},
      {"array whose size overflows", "key 'k' claims 4611686018427387905 elements of u32",
       [](GgufBytes& b) { b.head(0, 1).array("k", 4, (1ULL << 62) + 1).u32(1); }},
      {"more strings than bytes", "key 'k' claims 3 elements of string",
       [](GgufBytes& b) { b.head(0, 1).array("k", 8, 3).u64(0).u64(0); }},
      {"array string cut off", "array string needs 100 bytes",
       [](GgufBytes& b) { b.head(0, 1).array("k", 8, 1).u64(100).u64(0); }},
      {"endless empty arrays", "key 'k' claims 18446744073709551615 elements of array",
       [](GgufBytes& b) { b.head(0, 1).array("k", 9, UINT64_MAX).u32(4).u64(0); }},
      {"deep nesting", "key 'k' nests arrays deeper than 8",
       [](GgufBytes& b) {
         b.head(0, 1).key("k", 9);
         for (int i = 0; i < 20; ++i) b.u32(9).u64(1);
       }},
      {"alignment of another type", "general.alignment must be u32, found u64",
       [](GgufBytes& b) { b.head(0, 1).key("general.alignment", 10).u64(32); }},
      {"alignment 0", "general.alignment is 0, a power of two from 8 to 65536",
       [](GgufBytes& b) { b.head(0, 1).key("general.alignment", 4).u32(0); }},
      {"alignment 48", "general.alignment is 48",
       [](GgufBytes& b) { b.head(0, 1).key("general.alignment", 4).u32(48); }},
      {"alignment 4", "general.alignment is 4,",
       [](GgufBytes& b) { b.head(0, 1).key("general.alignment", 4).u32(4); }},
      {"alignment 131072", "general.alignment is 131072",
       [](GgufBytes& b) { b.head(0, 1).key("general.alignment", 4).u32(131072); }},
  };
}

std::vector<Case> tensor_cases() {
  return {
      {"rank 0", "tensor t has 0 dimensions, 1 to 4 are accepted",
       [](GgufBytes& b) { b.head(1, 0).tensor("t", {}, 0, 0).pad(32, 64); }},
      {"rank 5", "tensor t has 5 dimensions",
       [](GgufBytes& b) {
         b.head(1, 0).tensor("t", {1, 1, 1, 1, 1}, 0, 0).pad(32, 64);
       }},
      {"dimension 0", "tensor t has dimension 1 of 0",
       [](GgufBytes& b) {
         b.head(1, 0).tensor("t", {4, 0}, 0, 0).pad(32, 64);
       }},
      {"elements overflow", "tensor t has too many elements",
       [](GgufBytes& b) {
         b.head(1, 0).tensor("t", {1ULL << 40, 1ULL << 40}, 0, 0).pad(32, 64);
       }},
      {"bytes overflow", "tensor t is larger than 64 bits can say",
       [](GgufBytes& b) {
         b.head(1, 0).tensor("t", {1ULL << 32, 1ULL << 31}, 0, 0).pad(32, 64);
       }},
      {"broken blocks", "tensor t: a row of 33 elements does not divide into Q8_0 blocks of 32",
       [](GgufBytes& b) {
         b.head(1, 0).tensor("t", {33, 32}, 8, 0).pad(32, 2048);
       }},
      {"broken K blocks", "a row of 128 elements does not divide into Q2_K blocks of 256",
       [](GgufBytes& b) {
         b.head(1, 0).tensor("t", {128, 2}, 10, 0).pad(32, 2048);
       }},
      {"unaligned offset", "tensor t has offset 8, not a multiple of the alignment 32",
       [](GgufBytes& b) { b.head(1, 0).tensor("t", {4}, 0, 8).pad(32, 64); }},
      {"data beyond the file", "tensor t needs 64 bytes at data offset 32, the file has",
       [](GgufBytes& b) { b.head(1, 0).tensor("t", {16}, 0, 32).pad(32, 64); }},
      {"offset beyond the file", "tensor t needs 4 bytes at data offset 4096",
       [](GgufBytes& b) { b.head(1, 0).tensor("t", {1}, 0, 4096).pad(32, 64); }},
      {"offset near 2^64", "at data offset 18446744073709551584",
       [](GgufBytes& b) { b.head(1, 0).tensor("t", {1}, 0, UINT64_MAX - 31).pad(32, 64); }},
      {"no data section", "tensor data would begin at 96, the file has 73 bytes",
       [](GgufBytes& b) { b.head(1, 0).tensor("tensor789", {4}, 0, 0).u32(0).u32(0); }},
      {"duplicate tensor", "tensor t appears twice",
       [](GgufBytes& b) {
         b.head(2, 0).tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 32).pad(32, 64);
       }},
      {"overlapping tensors", "tensor b overlaps tensor a",
       [](GgufBytes& b) {
         b.head(2, 0).tensor("a", {16}, 0, 0).tensor("b", {4}, 0, 32).pad(32, 64);
       }},
      {"same offset twice", "overlaps tensor",
       [](GgufBytes& b) {
         b.head(2, 0).tensor("a", {4}, 0, 0).tensor("b", {4}, 0, 0).pad(32, 64);
       }},
      {"tensor name too long", "tensor name has length 1024, at most 1023",
       [](GgufBytes& b) { b.head(1, 0).tensor(kLongName, {4}, 0, 0).pad(32, 64); }},
      {"tensor name that is no printable text", "tensor t?? has 0 dimensions",
       [](GgufBytes& b) { b.head(1, 0).tensor("t\r\x7f", {}, 0, 0).pad(32, 64); }},
      {"empty tensor name", "tensor name is empty",
       [](GgufBytes& b) { b.head(1, 0).tensor("", {4}, 0, 0).pad(32, 64); }},
      {"NUL in a tensor name", "tensor name contains a NUL byte",
       [](GgufBytes& b) {
         b.head(1, 0).tensor({"t\0", 2}, {4}, 0, 0).pad(32, 64);
       }},
      {"directory cut off", "tensor dimension needs 8 bytes, 4 remain",
       [](GgufBytes& b) { b.head(1, 0).text("tensor_name").u32(2).u64(4).u32(0); }},
  };
}

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      GgufBytes bytes;
      c.build(bytes);
      const auto file = ds4::GgufFile::parse(bytes.bytes(), "bad.gguf");
      BOOST_TEST_REQUIRE(!file.ok());
      BOOST_TEST((file.error().code == ds4::Errc::bad_file));
      BOOST_TEST(file.error().what.starts_with("bad.gguf: offset "));
      BOOST_TEST(file.error().what.find(c.expected) != std::string::npos,
                 "got: " << file.error().what);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gguf_malformed)

BOOST_AUTO_TEST_CASE(a_broken_head_is_refused_with_offset_and_reason) {
  check(head_cases());
}
BOOST_AUTO_TEST_CASE(broken_metadata_is_refused_with_offset_and_reason) {
  check(metadata_cases());
}
BOOST_AUTO_TEST_CASE(a_broken_directory_is_refused_with_offset_and_reason) {
  check(tensor_cases());
}

BOOST_AUTO_TEST_SUITE_END()
