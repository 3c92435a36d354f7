#include "engine/plan/placement.h"

namespace yolocu {
namespace {

// A range of a root's padded channels that is to stand at `target` of a concat.
struct Piece {
  Place source;
  int64_t channels = 0, target = 0;
};

class Placer {
 public:
  Placer(const Graph& graph, const std::vector<ChannelLayout>& layouts)
      : graph_(graph), layouts_(layouts) {
    result_.copies.resize(graph.nodes.size());
  }

  Placement run() {
    for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
      const Node& node = graph_.nodes[static_cast<size_t>(i)];
      parents_.push_back({i, 0});
      if (const auto* slice = std::get_if<SliceOp>(&node.op)) {
        const int whole = node.inputs[0];
        parents_.back() = {whole, layout(whole).position(slice->begin)};
      } else if (std::holds_alternative<ConcatOp>(node.op)) {
        place_concat(i, node);
      }
    }
    for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
      result_.places.push_back(resolve(i));
    }
    for (std::vector<ConcatCopy>& copies : result_.copies) {
      for (ConcatCopy& copy : copies) {
        const Place moved = resolve(copy.source.root);
        copy.source = {moved.root, moved.channel + copy.source.channel};
      }
    }
    return std::move(result_);
  }

 private:
  const ChannelLayout& layout(int value) const { return layouts_[static_cast<size_t>(value)]; }

  // False once the value has moved into a concat.
  bool is_root(int value) const { return parents_[static_cast<size_t>(value)].root == value; }

  Place resolve(int value) const {
    Place place{value, 0};
    while (true) {
      if (is_root(place.root)) return place;
      const Place& parent = parents_[static_cast<size_t>(place.root)];
      place = {parent.root, place.channel + parent.channel};
    }
  }

  std::vector<Piece> pieces_of(const Node& concat) const {
    std::vector<Piece> pieces;
    int64_t target = 0;
    for (const int input : concat.inputs) {
      const int64_t channels = layout(input).padded_channels();
      pieces.push_back({resolve(input), channels, target});
      target += channels;
    }
    return pieces;
  }

  // Number of pieces from `first` on that are, in order, all of the root of the first; 0 if the
  // root is not whole here.
  size_t whole_root(const std::vector<Piece>& pieces, size_t first) const {
    const int root = pieces[first].source.root;
    int64_t covered = 0;
    for (size_t i = first; i < pieces.size(); ++i) {
      if (pieces[i].source.root != root || pieces[i].source.channel != covered) return 0;
      covered += pieces[i].channels;
      if (covered == layout(root).padded_channels()) return i - first + 1;
    }
    return 0;
  }

  void place_concat(int index, const Node& concat) {
    const std::vector<Piece> pieces = pieces_of(concat);
    for (size_t i = 0; i < pieces.size();) {
      const int root = pieces[i].source.root;
      const size_t whole = is_root(root) ? whole_root(pieces, i) : 0;
      if (whole == 0) {
        result_.copies[static_cast<size_t>(index)].push_back(
            {pieces[i].source, pieces[i].target, pieces[i].channels});
        ++i;
        continue;
      }
      parents_[static_cast<size_t>(root)] = {index, pieces[i].target};
      i += whole;
    }
  }

  const Graph& graph_;
  const std::vector<ChannelLayout>& layouts_;
  std::vector<Place> parents_;
  Placement result_;
};

}  // namespace

Placement place_values(const Graph& graph, const std::vector<ChannelLayout>& layouts) {
  return Placer(graph, layouts).run();
}

}  // namespace yolocu
