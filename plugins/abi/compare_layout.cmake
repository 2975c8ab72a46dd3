# Runs PROGRAM, writes what it prints to OUTPUT and fails unless that equals GOLDEN.
execute_process(COMMAND "${PROGRAM}" OUTPUT_FILE "${OUTPUT}" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${status}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files "${OUTPUT}" "${GOLDEN}"
  RESULT_VARIABLE differs)
if(differs)
  message(FATAL_ERROR "The layout of the ABI has changed: compare ${OUTPUT} with ${GOLDEN}. "
    "If the change is meant, raise the minor, add a line to ABI_CHANGES.md and copy the file.")
endif()
