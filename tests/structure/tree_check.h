// Rules of the source tree that a compiler does not check. Each function takes the root of a tree
// and returns one line a violation, "path:line: what is wrong", in order of paths.
#pragma once

#include <string>
#include <vector>

namespace yolocu::testing {

using Violations = std::vector<std::string>;

// #include "..." must name a file of the tree, and follow the direction of dependencies:
//   apps -> engine, import, export, format, base    engine -> kernels, format, base
//   import, export -> format, base                  format, kernels -> base
// Nothing includes tests or bench; of apps, others include only apps/npy.h (tests/apps: all).
// CUDA's headers stay out of weights and base.
Violations check_includes(const std::string& root);

// Every path that a README.md or FORMAT.md names in backticks or links to exists, seen from its own
// folder or from the root. A path is a token with an extension of sources or documents, or one
// whose first part is a folder of the tree. Code blocks, URLs, build/ and placeholders do not
// count.
Violations check_documents(const std::string& root);

// No source file is longer than 400 lines.
Violations check_lengths(const std::string& root);

// No absolute path of somebody's machine is in a source or document.
Violations check_machine_paths(const std::string& root);

}  // namespace yolocu::testing
