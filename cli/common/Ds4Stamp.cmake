# Run at build time: writes the build_info header, touching it only when something changed.
#   cmake -DINPUT=... -DOUTPUT=... -DSOURCE=... -DPROJECT_VERSION=... -P Ds4Stamp.cmake
set(DS4_COMMIT "unknown")
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE described RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(result EQUAL 0)
    set(DS4_COMMIT "${described}")
  endif()
endif()
configure_file("${INPUT}" "${OUTPUT}" @ONLY)
