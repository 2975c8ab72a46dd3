# Language level, output folders, warnings and sanitizers that every target of the tree shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# Programs find backends at <exe>/../lib/ds4/backends-0, in the build tree as after an install.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(DS4_BACKEND_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/ds4/backends-0")

find_program(DS4_CCACHE ccache)
if(DS4_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${DS4_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${DS4_CCACHE}")
  # It keeps no object that used a precompiled header.
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()

# For the sources of tests: what they test is optimised, they need not be, and an optimiser takes longer
# over a check than the check ever runs.
set(DS4_TEST_OPTIMISATION -O0)

# Linked by every target of ours, never by installed ones' users.
add_library(ds4-options INTERFACE)
target_compile_options(ds4-options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  $<$<BOOL:${DS4_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Only clang can see these two; see style: no static objects with constructors.
  target_compile_options(ds4-options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-sign-conversion>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At -O3 g++ 12 takes `"text" + std::string` for a copy onto itself (GCC bug 105651, gone in 13).
  target_compile_options(ds4-options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(DS4_SANITIZE)
  target_compile_options(ds4-options INTERFACE
    -fsanitize=${DS4_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ds4-options INTERFACE -fsanitize=${DS4_SANITIZE})
  if(DS4_SANITIZE MATCHES "undefined")
    # The C table is called across the plugin border, where vptr and function type checks cannot hold.
    target_compile_options(ds4-options INTERFACE -fno-sanitize=vptr)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      target_compile_options(ds4-options INTERFACE -fno-sanitize=function)
    endif()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees uninitialised reads inside std::regex and std::function once checks are inserted.
    target_compile_options(ds4-options INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_compile_definitions(ds4-options INTERFACE DS4_SANITIZED=1)
endif()
