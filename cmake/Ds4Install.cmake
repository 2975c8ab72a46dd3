# What `cmake --install` adds to programs and backends: the SDK that a backend is written with. Nothing in it names the
# prefix, so that the installed tree can be moved.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ds4")
set(package_build_dir "${PROJECT_BINARY_DIR}/package")

install(DIRECTORY plugins/include/ds4 TYPE INCLUDE)

configure_package_config_file(cmake/ds4Config.cmake.in "${package_build_dir}/ds4Config.cmake"
  INSTALL_DESTINATION "${package_dir}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file("${package_build_dir}/ds4ConfigVersion.cmake"
  COMPATIBILITY SameMajorVersion
  ARCH_INDEPENDENT)
install(FILES
    "${package_build_dir}/ds4Config.cmake"
    "${package_build_dir}/ds4ConfigVersion.cmake"
    cmake/ds4BackendSdk.cmake
    cmake/ds4-backend.map
  DESTINATION "${package_dir}")

file(RELATIVE_PATH DS4_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" DS4_PC_PREFIX "${DS4_PC_PREFIX}")
configure_file(cmake/ds4-backend.pc.in "${package_build_dir}/ds4-backend.pc" @ONLY)
install(FILES "${package_build_dir}/ds4-backend.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(DIRECTORY plugins/example-backend
  DESTINATION "${CMAKE_INSTALL_DATADIR}/ds4/sdk"
  PATTERN "build" EXCLUDE)
install(FILES plugins/abi/abi-0.layout plugins/abi/ABI_CHANGES.md
  DESTINATION "${CMAKE_INSTALL_DATADIR}/ds4/sdk/abi")
install(FILES docs/writing-a-backend.md DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/ds4")
