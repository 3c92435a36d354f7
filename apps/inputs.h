// From what a user typed to picture files, and from picture files to names of annotated copies.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "yolocu/status.h"

namespace yolocu {

// The files that `argument` stands for, in order:
//   a file        itself, whatever its extension;
//   a folder      the pictures in it by extension (.jpg .jpeg .png .bmp .gif, any case), sorted by
//                 name, not those in its subfolders;
//   a glob        all files it matches, sorted. A file of that very name comes first.
// kNotFound: nothing there, or a folder or glob without pictures. kUnavailable: a folder that
// cannot be read. The message starts with the argument.
Result<std::vector<std::string>> expand_input(const std::string& argument);

// Gives every annotated picture a path of its own in one folder.
class OutputNames {
 public:
  // No path given out equals one of `inputs`, whose files therefore survive even if they lie in
  // `folder`.
  OutputNames(std::string folder, std::span<const std::string> inputs);

  // folder/NAME.png for an input NAME.png (any case), else folder/NAME.jpg; the second of one name
  // gets _2, the third _3.
  std::string next(const std::string& input);

 private:
  std::string folder_;
  std::set<std::string> taken_;  // absolute, without links
};

}  // namespace yolocu
