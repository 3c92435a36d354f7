#include "apps/cli.h"

int main(int argc, char** argv) {
  return yolocu::run_program(argc, argv);
}
