#pragma once

#include <cstdio>

/// For our own mistakes only, never for input: prints where and traps, in every build.
#define DS4_ASSERT(condition)                                                                 \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      std::fprintf(stderr, "%s:%d: broken assumption: %s\n", __FILE__, __LINE__, #condition); \
      __builtin_trap();                                                                       \
    }                                                                                         \
  } while (false)
