/// Products of bytes: sixteen i32 lanes (I32), and four bytes for each of them (Bytes64).
///
/// A tile of weights lies so that 64 bytes hold four consecutive values of sixteen rows; four bytes
/// of the other operand are the same for all rows. Everything here is exact. Each level has
///
///     load_bytes(p), all_int(x), a + b, a * b, to_f32(a)
///     dot4(acc, w, a)         acc + sum of w * a over the four bytes of each lane: w unsigned and
///                             below 128 (any byte if kTwoBitsStay), a signed and not -128
///     dot4_signed(acc, w, a)  the same for signed weights that are stored plus 128; adds
///                             kSignedBias for each a on top of the product
///     two_bits<Part>(w)       two bits of each byte, from bit 2 * Part on
///     high_nibbles(w)         the high nibble of each byte
///     low_nibble<Part>(w)     the low nibble of byte Part of each lane
///     kTwoBitsStay            dot4 takes all unsigned bytes, so codes of two bits need no shift
///     two_bits_in_place<Part>(w)
///                             two_bits<Part>(w), times 4^Part if kTwoBitsStay
///     times_short(a, b)       unless kTwoBitsStay: a * b where both fit in 16 bits and b is not
///                             negative
///     plus_scaled<Byte>(acc, a, w)
///                             unless kTwoBitsStay: acc + a * the low nibble of byte Byte of each
///                             lane of w, where a fits in 16 bits
///     plus_pair<Byte, Even, Odd>(acc, even, odd, w)
///                             if kTwoBitsStay: acc + (even >> Even) * the low nibble of byte Byte
///                             + (odd >> Odd) * that of byte Byte + 2; what is shifted out is 0,
///                             what stays fits in 16 bits
///     odd_scale(w)            2 * (the top four bits of each lane) + 1
///     load_halves(p)          sixteen IEEE halves
///     scaled(w, scale)        each byte times its lane's scale, where no product exceeds 255
///     store_rounded(q, a)     whole values within +-127 as signed bytes; gives their sum
#pragma once

#if defined(__AVX512VNNI__)
#include "bytes_avx512.hpp"
#elif defined(__AVX2__)
#include "bytes_avx2.hpp"
#elif defined(__ARM_NEON)
#include "bytes_neon.hpp"
#else
#include "bytes_plain.hpp"
#endif

namespace ds4::fast {

#if !defined(__AVX512VNNI__)
inline constexpr bool kTwoBitsStay = false;
template <int Part>
inline Bytes64 two_bits_in_place(Bytes64 w) noexcept {
  return two_bits<Part>(w);
}
template <int Byte>
inline I32 plus_scaled(I32 acc, I32 a, Bytes64 w) noexcept {
  return acc + times_short(a, low_nibble<Byte>(w));
}
#endif

/// Columns that a product keeps in registers at once.
#if defined(__AVX512F__)
inline constexpr std::uint32_t kRegisterColumns = 8;
#elif defined(__AVX2__)
inline constexpr std::uint32_t kRegisterColumns = 2;
#elif defined(__ARM_NEON)
inline constexpr std::uint32_t kRegisterColumns = 4;
#else
inline constexpr std::uint32_t kRegisterColumns = 1;
#endif

/// Whether load_halves is an instruction or two.
#if defined(__AVX2__) || defined(__ARM_NEON)
inline constexpr bool kConvertsHalves = true;
#else
inline constexpr bool kConvertsHalves = false;
#endif

/// The same bytes. A compiler that knows where they come from would rather load them again for each
/// use than hold them in registers, and loads are what many columns wait for.
inline Bytes64 held(Bytes64 w) noexcept {
#if defined(__AVX512F__)
  asm("" : "+v"(w.v));
#endif
  return w;
}

/// Asks for the line at p into the second cache: requests into the first one were slower,
/// presumably because there are few of them at a time and loads want them too. Beyond the end of
/// memory it does nothing.
inline void prefetch(const std::byte* p) noexcept {
  __builtin_prefetch(p, 0, 2);
}

}  // namespace ds4::fast
