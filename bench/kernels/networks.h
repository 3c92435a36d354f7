// Networks whose launches are measured: by the name of an architecture, or a packed file.
#pragma once

#include <string>
#include <vector>

#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu::bench {

struct Network {
  std::string name;  // "gelan-c"; of a file: its name without folder and extension
  ModelSpec spec;
};

// The graph of an official definition with 80 classes; no weights are needed, for numbers do not
// change a plan. input_size is the official one: 1280 for the networks of stride 64, else 640.
// kInvalidArgument lists the names there are.
Result<Network> architecture_network(const std::string& name);

// Errors of open_packed_file.
Result<Network> packed_network(const std::string& path);

// What is measured unless the command line says otherwise: together they launch every family but
// channel_copy, which plans of the official networks have no use for.
const std::vector<std::string>& default_networks();

}  // namespace yolocu::bench
