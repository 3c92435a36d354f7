// recipe_checkpoint MODEL.json OUT.safetensors: the state dictionary of a recipe (recipe.h), for
// `yolocu convert --arch`.
#include <cstdio>

#include "tests/tools/recipe.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: recipe_checkpoint MODEL.json OUT.safetensors\n", stderr);
    return 2;
  }
  const yolocu::Status status = yolocu::testing::write_recipe_checkpoint(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "recipe_checkpoint: %s\n", status.message().c_str());
  return 1;
}
