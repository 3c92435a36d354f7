# What `cmake --install` puts where, and the portable program.
#   bin/yolocu                        the program, its default model inside
#   include/yolocu, lib               public headers and static libraries
#   lib/cmake/yolocu                  find_package(yolocu): the target yolocu::engine
#   lib/yolocu                        shared libraries of a portable build
include(CMakePackageConfigHelpers)
set(YOLOCU_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/yolocu)

# The program itself is installed by apps. Of the libraries, what a program that embeds the engine
# links: neither the importer nor the command line.
set(installed_libraries engine format kernels base)
if(YOLOCU_HAS_EMULATION)
  list(APPEND installed_libraries kernels_emulated emulation)
endif()
list(TRANSFORM installed_libraries PREPEND yolocu_ OUTPUT_VARIABLE installed_targets)
install(TARGETS ${installed_targets}
  EXPORT yolocuTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(name ${installed_libraries})
  set_target_properties(yolocu_${name} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/engine/include/yolocu
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")

install(EXPORT yolocuTargets NAMESPACE yolocu:: DESTINATION ${YOLOCU_PACKAGE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/yolocuConfig.cmake.in
  ${PROJECT_BINARY_DIR}/yolocuConfig.cmake
  INSTALL_DESTINATION ${YOLOCU_PACKAGE_DIR}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/yolocuConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/yolocuConfig.cmake
  ${PROJECT_BINARY_DIR}/yolocuConfigVersion.cmake
  DESTINATION ${YOLOCU_PACKAGE_DIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# A portable build: archives are preferred by dependencies.cmake; shared libraries that remain are
# copied to bin/lib, and the program looks for them relative to itself. The folder bin can be copied
# to another machine whose C library is not older.
if(YOLOCU_PORTABLE)
  # One path for both places: CMake would pad a separate one of the build folder with empty entries,
  # which the loader reads as the current folder.
  set_target_properties(yolocu PROPERTIES
    BUILD_WITH_INSTALL_RPATH ON
    INSTALL_RPATH "$ORIGIN/lib:$ORIGIN/../${CMAKE_INSTALL_LIBDIR}/yolocu")
  target_link_options(yolocu PRIVATE
    # RPATH and not RUNPATH: only RPATH is also searched for the libraries of libraries.
    -Wl,--disable-new-dtags
    # Otherwise shared libraries would bind to parts of the archives in the program (libzip to our
    # static libcrypto) and to their own copy for the rest.
    -Wl,--exclude-libs,ALL)
  target_link_options(yolocu PRIVATE -static-libstdc++ -static-libgcc)
  set(YOLOCU_PORTABLE_STAMP ${PROJECT_BINARY_DIR}/portable_libraries.stamp)
  add_custom_command(OUTPUT ${YOLOCU_PORTABLE_STAMP}
    COMMAND ${CMAKE_COMMAND}
      -D PROGRAM=$<TARGET_FILE:yolocu>
      -D DESTINATION=$<TARGET_FILE_DIR:yolocu>/lib
      -P ${PROJECT_SOURCE_DIR}/cmake/copy_libraries.cmake
    COMMAND ${CMAKE_COMMAND} -E touch ${YOLOCU_PORTABLE_STAMP}
    DEPENDS yolocu ${PROJECT_SOURCE_DIR}/cmake/copy_libraries.cmake
    COMMENT "Copying shared libraries beside the program"
    VERBATIM)
  add_custom_target(yolocu_portable ALL DEPENDS ${YOLOCU_PORTABLE_STAMP})
  install(DIRECTORY ${PROJECT_BINARY_DIR}/bin/lib/ DESTINATION ${CMAKE_INSTALL_LIBDIR}/yolocu)
endif()
