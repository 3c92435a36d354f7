# Installs the build into a scratch folder, builds consumer/ against it with find_package(yolocu) and
# runs it: headers are complete, and the package names everything that the archives link to.
# cmake -D BUILD=... -D CONSUMER=... -D SCRATCH=... -D COMPILER=... -D MODEL=... -P package_test.cmake
function(run_step)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGV}")
    message(FATAL_ERROR "${command}\nfailed with ${result}:\n${text}")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
run_step(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/stage)
run_step(${CMAKE_COMMAND} -S ${CONSUMER} -B ${SCRATCH}/build -G Ninja
  -D CMAKE_PREFIX_PATH=${SCRATCH}/stage -D CMAKE_CXX_COMPILER=${COMPILER})
run_step(${CMAKE_COMMAND} --build ${SCRATCH}/build)
run_step(${SCRATCH}/build/consumer ${MODEL})
run_step(${SCRATCH}/stage/bin/yolocu --help)
