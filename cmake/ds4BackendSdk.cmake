# ds4_add_backend(<name> SOURCES ... [VERSION <version>] [LIBRARIES ...] [OUTPUT_DIRECTORY <folder>])
#
# A loadable backend: target ds4-backend-<name>, file libds4-backend-<name>.so. Only the entry is exported, nothing is
# bound lazily, no function may be missing, and no symbol is unique (that would keep the file mapped after a close).
# Sources see DS4_BACKEND_NAME and DS4_BACKEND_VERSION, for DS4_BACKEND_NOTE; the version is the project's own if none
# is given.
#
# `cmake --install` puts the file into DS4_BACKEND_INSTALL_DIR below the prefix, where programs of that prefix look;
# with OUTPUT_DIRECTORY it is built there and not installed. Where ds4-validate is installed, ctest runs it as
# <name>.conformance. Set DS4_SANITIZE ("address,undefined", "thread") to what the programs were built with.
#
# The same file serves the tree of ds4 and find_package(ds4 COMPONENTS BackendSdk).
set(DS4_BACKEND_INSTALL_DIR "lib/ds4/backends-0" CACHE STRING "Folder of backends below the prefix")
set(_DS4_BACKEND_MAP "${CMAKE_CURRENT_LIST_DIR}/ds4-backend.map")

function(ds4_add_backend name)
  cmake_parse_arguments(arg "" "OUTPUT_DIRECTORY;VERSION" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT name MATCHES "^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
    message(FATAL_ERROR "ds4_add_backend: '${name}' is no name; use lower-case words joined by '-'")
  endif()
  string(LENGTH "${name}" length)
  if(length GREATER 31)
    message(FATAL_ERROR "ds4_add_backend: '${name}' has ${length} characters, at most 31 fit")
  endif()
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ds4_add_backend(${name}): use "
      "ds4_add_backend(<name> SOURCES <files> [VERSION <version>] [LIBRARIES ...])")
  endif()
  if(NOT arg_VERSION)
    set(arg_VERSION "${PROJECT_VERSION}")
  endif()

  set(target "ds4-backend-${name}")
  add_library(${target} MODULE ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ds4::backend-sdk ${arg_LIBRARIES})
  target_compile_definitions(${target} PRIVATE
    DS4_BACKEND_NAME="${name}" DS4_BACKEND_VERSION="${arg_VERSION}")
  set_target_properties(${target} PROPERTIES
    PREFIX "lib"
    SUFFIX ".so"
    OUTPUT_NAME "ds4-backend-${name}"
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    NO_SONAME ON)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${target} PRIVATE cxx_std_20)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
    endif()
  endif()
  if("C" IN_LIST languages)
    target_compile_features(${target} PRIVATE c_std_11)
  endif()
  target_link_options(${target} PRIVATE
    "-Wl,--version-script=${_DS4_BACKEND_MAP}"
    -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack -Wl,-z,text -Wl,--exclude-libs,ALL)
  set_target_properties(${target} PROPERTIES LINK_DEPENDS "${_DS4_BACKEND_MAP}")
  if(NOT DS4_SANITIZE)
    # A sanitizer's runtime lives in the program, so its symbols stay undefined in the backend.
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()

  if(TARGET ds4-options)
    target_link_libraries(${target} PRIVATE ds4-options)
  elseif(DS4_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${DS4_SANITIZE} -fno-sanitize=vptr)
    target_link_options(${target} PRIVATE -fsanitize=${DS4_SANITIZE})
  endif()

  if(arg_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${arg_OUTPUT_DIRECTORY}")
    return()
  endif()
  if(DS4_BACKEND_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY "${DS4_BACKEND_OUTPUT_DIRECTORY}")
  endif()
  # A file that is in use must be replaced, not written over: the old one is unlinked first.
  install(CODE "file(REMOVE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${DS4_BACKEND_INSTALL_DIR}/lib${target}.so\")")
  install(TARGETS ${target} LIBRARY DESTINATION "${DS4_BACKEND_INSTALL_DIR}")
  if(DS4_VALIDATE_PROGRAM)
    add_test(NAME ${name}.conformance
      COMMAND "${DS4_VALIDATE_PROGRAM}" --backend "$<TARGET_FILE:${target}>" --grid quick)
    set_tests_properties(${name}.conformance PROPERTIES LABELS conformance)
  endif()
endfunction()
