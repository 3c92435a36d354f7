# cmake -D PROGRAM=... -D DESTINATION=... -P copy_libraries.cmake
# Copies the shared libraries of PROGRAM, and theirs, to the folder DESTINATION (emptied first), then
# checks that the program finds them there. The C library stays the target machine's: it must match
# that machine's loader and kernel.
set(CMAKE_GET_RUNTIME_DEPENDENCIES_PLATFORM linux+elf)
set(C_LIBRARY "^(ld-linux.*|linux-vdso|lib(c|m|mvec|dl|pthread|rt|resolv|util|anl))\\.so")

file(REMOVE_RECURSE ${DESTINATION})
file(MAKE_DIRECTORY ${DESTINATION})
file(GET_RUNTIME_DEPENDENCIES
  EXECUTABLES ${PROGRAM}
  RESOLVED_DEPENDENCIES_VAR libraries
  UNRESOLVED_DEPENDENCIES_VAR missing
  PRE_EXCLUDE_REGEXES ${C_LIBRARY})
if(missing)
  message(FATAL_ERROR "${PROGRAM}: the linker's cache does not know ${missing}")
endif()
foreach(library IN LISTS libraries)
  get_filename_component(name ${library} NAME)
  file(COPY_FILE ${library} ${DESTINATION}/${name})  # follows links: a file with the soname
endforeach()

# The loader's own opinion.
execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ldd ${PROGRAM}
  OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
get_filename_component(folder ${DESTINATION} REALPATH)
string(REGEX MATCHALL "[^\n]+" lines "${text}")
foreach(line IN LISTS lines)
  if(line MATCHES "^[ \t]*([^ ]+) => ([^(]+)" )
    set(name ${CMAKE_MATCH_1})
    string(STRIP "${CMAKE_MATCH_2}" path)
    get_filename_component(found "${path}" DIRECTORY)
    get_filename_component(found "${found}" REALPATH)
    if(NOT name MATCHES "${C_LIBRARY}" AND NOT found STREQUAL folder)
      message(FATAL_ERROR "${PROGRAM}: expected ${name} in ${folder}, the loader takes ${path}")
    endif()
  endif()
endforeach()
