# ds4_add_backend(<name> SOURCES ... [LIBRARIES ...])
# A loadable backend `libds4-backend-<name>.so`: hidden symbols but the entry, no lazy binding, no unique symbols
# (they would keep the file mapped after a close), placed where the programs of the build tree look for it.
function(ds4_add_backend name)
  cmake_parse_arguments(arg "" "OUTPUT_DIRECTORY" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY "${DS4_BACKEND_OUTPUT_DIRECTORY}")
  endif()
  set(target "ds4-backend-${name}")
  add_library(${target} MODULE ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ds4-sdk ${arg_LIBRARIES} ds4-options)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME "ds4-backend-${name}"
    LIBRARY_OUTPUT_DIRECTORY "${arg_OUTPUT_DIRECTORY}"
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    NO_SONAME ON)
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  file(WRITE "${script}" "DS4_BACKEND_0 { global: ds4_backend_entry_*; local: *; };\n")
  target_link_options(${target} PRIVATE
    "-Wl,--version-script=${script}" -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack -Wl,--exclude-libs,ALL)
  if(NOT DS4_SANITIZE)
    # A sanitizer's runtime lives in the program, so its symbols stay undefined in the backend.
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
  endif()
endfunction()
