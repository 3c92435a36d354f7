// Checkpoints that must be refused: malformed, or made to do harm. Each is sound but for what its
// name says.
#pragma once

#include <cstddef>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "weights/import/module_tree.h"

namespace yolocu::testing {

struct HostileFile {
  std::string name;   // what is wrong, a valid test name
  std::string cause;  // what the error says of it
  std::function<std::vector<std::byte>()> make;
  std::string architecture = {};  // as --arch names it
};

// What the corpus is made from: a Conv, a RepConvN and a DDetect; a Conv and an IDetect.
Module sound_yolov9();
Module sound_yolov7();
// The tensors of the official gelan-t by their names in its state dictionary, all zeros of U8.
Module sound_state_dict();
std::vector<std::byte> safetensors_file(const Module& state_dict);

// Containers (zip, legacy, safetensors), what is no container at all.
std::vector<HostileFile> hostile_containers();
// Pickles: attempts to run something, and to use up memory or the stack.
std::vector<HostileFile> hostile_pickles();
// Tensors that leave their storages or have the wrong numbers in them.
std::vector<HostileFile> hostile_tensors();
// Modules whose attributes, connections or children are impossible.
std::vector<HostileFile> hostile_modules();
// All of them.
std::vector<HostileFile> hostile_corpus();

// The name: what a failing test shows.
void PrintTo(const HostileFile& file, std::ostream* out);

}  // namespace yolocu::testing
