# ds4_unit_test(NAME SOURCES ... LIBRARIES ... [LABELS ...] [DEFINITIONS ...])
# One Boost.Test executable, registered with CTest under its name; the label is "unit" unless others are given.
function(ds4_unit_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES;LABELS;DEFINITIONS" ${ARGN})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT TARGET ds4-unit-main)
    # The runner is the same for all, so it is compiled once.
    add_library(ds4-unit-main OBJECT "${PROJECT_SOURCE_DIR}/tests/unit/main.cpp")
    target_link_libraries(ds4-unit-main PRIVATE Boost::unit_test_framework ds4-options)
    target_compile_definitions(ds4-unit-main PRIVATE BOOST_TEST_DYN_LINK)
    # What nearly every test includes is parsed once.
    add_executable(ds4-unit-headers "${PROJECT_SOURCE_DIR}/tests/unit/headers.cpp")
    target_link_libraries(ds4-unit-headers PRIVATE Boost::unit_test_framework ds4-options)
    target_compile_definitions(ds4-unit-headers PRIVATE BOOST_TEST_DYN_LINK)
    target_compile_options(ds4-unit-headers PRIVATE ${DS4_TEST_OPTIMISATION})
    target_precompile_headers(ds4-unit-headers PRIVATE
      <boost/test/unit_test.hpp> <algorithm> <array> <cstdint> <filesystem> <fstream> <functional>
      <memory> <optional> <span> <string> <string_view> <vector>)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE
    ds4-unit-main ${arg_LIBRARIES} Boost::unit_test_framework ds4-options)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE ${DS4_TEST_OPTIMISATION})
  target_precompile_headers(${name} REUSE_FROM ds4-unit-headers)
  target_compile_definitions(${name} PRIVATE BOOST_TEST_DYN_LINK
    DS4_SOURCE_DIR="${PROJECT_SOURCE_DIR}" DS4_BINARY_DIR="${PROJECT_BINARY_DIR}" ${arg_DEFINITIONS})
  add_test(NAME ${name} COMMAND ${name} --log_level=test_suite --report_level=short)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 600)
endfunction()
