// Opens the model named on the command line and looks for objects in a grey picture.
#include <yolocu/detector.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (yolocu::Detector::open("missing.yolocu", {}).ok()) return 1;
  auto detector = yolocu::Detector::open(argv[1], {});
  if (!detector.ok()) {
    std::fprintf(stderr, "%s\n", detector.status().message().c_str());
    return 1;
  }
  const std::vector<uint8_t> grey(64 * 48 * 3, 128);
  const auto found = detector->detect({grey.data(), 64, 48, 64 * 3});
  if (!found.ok()) {
    std::fprintf(stderr, "%s\n", found.status().message().c_str());
    return 1;
  }
  std::printf("%zu classes, %zu objects\n", detector->class_names().size(), found->size());
  return 0;
}
