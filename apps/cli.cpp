#include "apps/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/picture_decoders.h"
#include "weights/import/arch/architecture.h"

namespace yolocu {
namespace {

constexpr const char* kDevices = "auto|cpu|reference|cuda|emulated";
constexpr const char* kBuiltDevices = YOLOCU_BUILT_DEVICES;  // those of this build: auto|...
constexpr const char* kPrecisions = "auto|fp32|fp16|bf16|int8";

// What the command line asked for. One of the subcommands has been chosen after parsing.
struct CommandLine {
  DetectArguments detect;
  ConvertArguments convert;
  InfoArguments info;
  RunArguments run;
  BenchArguments bench;
  ExportOnnxArguments export_onnx;
  QuantizeArguments quantize;
};

// "--conf: 'x' is not a number": the message of an option's value. Some parsers name what they
// parse ("device: ..."), which then takes the place of the option's name.
CLI::ValidationError bad_value(const std::string& option, const Status& status) {
  const bool named = status.message().rfind(option.substr(2) + ":", 0) == 0;
  return CLI::ValidationError((named ? "--" : option + ": ") + status.message());
}

// An option whose text `parse` turns into Result<T>; its error is a usage error.
template <typename T, typename Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, T& target, Parse parse,
                        const std::string& values, const std::string& help) {
  const auto store = [&target, parse, name](const std::string& text) {
    auto value = parse(text);
    if (!value.ok()) throw bad_value(name, value.status());
    target = T(*value);
  };
  return app.add_option_function<std::string>(name, store, help)->type_name(values);
}

// An empty text is a slip of a script ("$MODEL" unset), not a wish for the default.
CLI::Option* not_empty(CLI::Option* option) {
  return option->check(
      [](const std::string& text) { return std::string(text.empty() ? "empty text" : ""); });
}

void add_device_options(CLI::App& app, Device& device, Precision& precision, int& threads) {
  add_parsed(app, "--device", device, parse_device, kBuiltDevices, "Where to compute [auto]");
  add_parsed(app, "--precision", precision, parse_precision, kPrecisions,
             "Type of activations and weights [auto]");
  add_parsed(app, "--threads", threads, parse_count, "N", "CPU threads [all]");
}

void add_counters(CLI::App& app, std::string& path) {
  not_empty(
      app.add_option("--counters", path, "Write the kernels launched on cuda or emulated as JSON"))
      ->type_name("FILE");
}

void add_detect(CLI::App& program, DetectArguments& a) {
  CLI::App& app = *program.add_subcommand("detect", "Find objects in pictures");
  not_empty(app.add_option("INPUT", a.inputs, "Picture files, folders of them, or quoted globs"))
      ->required()
      ->type_name("");
  not_empty(app.add_option("--model", a.model, "Packed model file [the embedded one]"))
      ->type_name("FILE");
  add_device_options(app, a.options.device, a.options.precision, a.options.threads);
  add_parsed(app, "--conf", a.options.confidence, parse_fraction, "0..1",
             "Keep scores above this [0.25]");
  add_parsed(app, "--iou", a.options.iou, parse_fraction, "0..1",
             "Drop a box that overlaps a better one of its class by more [0.45]");
  add_parsed(app, "--max-det", a.options.max_detections, parse_count, "N",
             "At most so many objects a picture [300]");
  not_empty(app.add_option("--classes", a.classes, "Only these classes, by name or number"))
      ->type_name("A,B");
  add_parsed(app, "--size", a.size, parse_input_size, "N|WxH",
             "Network input; pictures are letterboxed [the model's]");
  app.add_flag_callback(
      "--reduce-jpeg", [&a] { a.jpeg = JpegDecoding::kReduced; },
      "Decode JPEG at 1/2, 1/4 or 1/8 where the network's input is so small: faster; boxes and\n"
      "scores change a little");
  not_empty(app.add_option("--json", a.json, "Write one JSON document; - is stdout"))
      ->type_name("FILE|-");
  not_empty(app.add_option("--out", a.out, "Write annotated copies here"))->type_name("DIR");
  add_counters(app, a.counters);
  app.footer(
      "Example: yolocu detect --out annotated --json found.json photos/ 'more/*.png'\n"
      "A picture that cannot be read is reported and left out; the exit code is then 1.");
}

void add_convert(CLI::App& program, ConvertArguments& a) {
  CLI::App& app = *program.add_subcommand("convert", "Turn a checkpoint into a packed model file");
  CLI::Option* checkpoint =
      not_empty(app.add_option("CHECKPOINT", a.checkpoint,
                               "YOLOv7 or YOLOv9 .pt or .safetensors; nothing in it is executed"))
          ->type_name("");
  not_empty(app.add_option("-o,--output", a.output, "Packed model file to write"))
      ->required()
      ->type_name("FILE");
  add_parsed(app, "--dtype", a.dtype, parse_weight_dtype, "fp16|fp32", "Stored weights [fp16]");
  add_parsed(app, "--size", a.size, parse_count, "N", "Default network input [640]");
  add_parsed(app, "--branch", a.branch, parse_branch, "main|aux",
             "Which predictions of a training head to keep [main]");
  CLI::Option* architecture =
      not_empty(app.add_option("--arch", a.architecture,
                               "Architecture of a file that holds tensors only [guessed]"))
          ->type_name("NAME");
  CLI::Option* synthetic =
      add_parsed(app, "--synthetic", a.seed, parse_seed, "SEED",
                 "Random weights for --arch instead of a checkpoint, to measure with")
          ->needs(architecture)
          ->excludes(checkpoint);
  app.add_flag_callback(
         "--verify", [&a] { a.verification = Verification::kOn; },
         "Compare with the network before folding, on random input, on the reference device")
      ->excludes(synthetic);
  app.callback([&a] {
    if (a.checkpoint.empty() && !a.seed) throw CLI::RequiredError("CHECKPOINT");
  });
  app.footer(
      "Examples: yolocu convert yolov9-c.pt -o yolov9-c.yolocu\n"
      "          yolocu convert --arch yolov9-c --synthetic 1 -o random.yolocu\n"
      "--verify fails beyond 0.05 pixels (or 0.1 % of a larger box) and scores of 0.001; it takes\n"
      "seconds.\n"
      "Architectures: " +
      architecture_names());
}

void add_info(CLI::App& program, InfoArguments& a) {
  CLI::App& app = *program.add_subcommand("info", "Show what a packed model file holds");
  not_empty(app.add_option("FILE", a.model, "Packed model file [the embedded one]"))->type_name("");
  app.add_flag_callback(
      "--layers", [&a] { a.layers = LayerTable::kShow; }, "List every layer");
  add_parsed(app, "--size", a.size, parse_input_size, "N|WxH",
             "Network input for shapes, FLOPs and plan [the model's]");
  app.add_flag_callback(
      "--plan", [&a] { a.plan = PlanTable::kShow; },
      "List every kernel launch of a device, which need not be there");
  add_parsed(app, "--device", a.device, parse_device, kDevices, "Of the plan [cuda]");
  add_parsed(app, "--precision", a.precision, parse_precision, kPrecisions, "Of the plan [auto]");
  add_parsed(app, "--batch", a.batch, parse_count, "N", "Of the plan [1]");
}

void add_run(CLI::App& program, RunArguments& a) {
  CLI::App& app = *program.add_subcommand("run", "Push a tensor through the network");
  not_empty(app.add_option("MODEL", a.model, "Packed model file"))->required()->type_name("");
  not_empty(app.add_option("--input", a.input, "fp32 [B,3,H,W], RGB in 0..1"))
      ->required()
      ->type_name("X.npy");
  not_empty(app.add_option("--output", a.output, "fp32 [B,anchors,4+classes]: cx cy w h, scores"))
      ->required()
      ->type_name("Y.npy");
  add_device_options(app, a.device, a.precision, a.threads);
  add_counters(app, a.counters);
  app.footer("Computes in fp32, on cuda and emulated in fp16, unless --precision says otherwise.");
}

void add_bench(CLI::App& program, BenchArguments& a) {
  CLI::App& app = *program.add_subcommand("bench", "Measure how long a model takes");
  CLI::Option* const model =
      not_empty(app.add_option("MODEL", a.model, "Packed model file [the embedded one]"))
          ->type_name("");
  not_empty(app.add_option("--arch", a.architecture,
                           "Instead: an official model of this name with made-up weights"))
      ->excludes(model)
      ->type_name("NAME");
  add_device_options(app, a.device, a.precision, a.threads);
  add_parsed(app, "--batch", a.batch, parse_count, "N", "Pictures at a time [1]");
  add_parsed(app, "--size", a.size, parse_input_size, "N|WxH", "Network input [the model's]");
  add_parsed(app, "--iterations", a.iterations, parse_count, "N",
             "Timed runs [what fits 3 s, at least 20; 1 on emulated and reference]");
  add_parsed(app, "--warmup", a.warmup, parse_count_or_none, "N",
             "Runs before those [3; 0 on emulated and reference]");
  app.add_flag("--layers", a.layers, "Also list how long each step takes; cpu only");
  CLI::Option* const image =
      not_empty(app.add_option("--image", a.image,
                               "End to end from this file, decoding included [noise in memory]"))
          ->type_name("FILE");
  app.add_flag_callback(
         "--network-only", [&a] { a.pictures = PictureTimes::kSkip; }, "Leave out end to end")
      ->excludes(image);
  not_empty(app.add_option("--json", a.json, "Write one JSON document; - is stdout"))
      ->type_name("FILE|-");
  add_counters(app, a.counters);
  app.footer(
      "Network only: the input is in place; on cuda each launch of the graph is timed on the "
      "device.\n"
      "End to end (batch 1): pixels of a synthetic picture of 1280x960 to boxes, or --image FILE "
      "to boxes.");
}

void add_export_onnx(CLI::App& program, ExportOnnxArguments& a) {
  CLI::App& app = *program.add_subcommand("export-onnx", "Write a model for other runtimes");
  not_empty(app.add_option("MODEL", a.model, "Packed model file"))->required()->type_name("");
  not_empty(app.add_option("-o,--output", a.output, "ONNX file to write"))
      ->required()
      ->type_name("FILE");
  add_parsed(app, "--batch", a.batch, parse_count, "N", "Pictures at a time, fixed [1]");
  add_parsed(app, "--size", a.size, parse_input_size, "N|WxH",
             "Network input, fixed [the model's]");
  app.footer(
      "fp32, opset 17: images [B,3,H,W], RGB in 0..1, to predictions [B,anchors,4+classes] as of "
      "`yolocu run`.");
}

void add_quantize(CLI::App& program, QuantizeArguments& a) {
  CLI::App& app = *program.add_subcommand("quantize", "Turn a packed model into an int8 one");
  not_empty(app.add_option("MODEL", a.model, "Packed model file"))->required()->type_name("");
  not_empty(app.add_option("--images", a.images,
                           "Pictures like those to detect in: files, folders, quoted globs"))
      ->required()
      ->type_name("DIR");
  not_empty(app.add_option("-o,--output", a.output, "Packed model file to write"))
      ->required()
      ->type_name("FILE");
  add_parsed(app, "--calibration", a.calibration, quantize::parse_calibration,
             "mse|percentile|entropy|max", "How the range of values is chosen [mse]");
  CLI::Option* const keep =
      add_parsed(app, "--keep", a.keep, parse_keep, "N|auto",
                 "So many groups of layers stay in floating point, the most sensitive ones [auto]");
  add_parsed(app, "--max-error", a.max_error, parse_fraction, "0..1",
             "auto: as few as it takes to get the error of predictions below [0.03],")
      ->excludes(keep);
  add_parsed(app, "--max-float", a.max_float, parse_fraction, "0..1",
             "but no more than this part of the compute [0.1]")
      ->excludes(keep);
  add_parsed(app, "--limit", a.limit, parse_count, "N", "At most so many pictures, evenly [200]");
  add_parsed(app, "--error-images", a.error_pictures, parse_count, "N",
             "So many of them to measure errors on, evenly [8]");
  add_parsed(app, "--size", a.size, parse_input_size, "N|WxH", "Network input [the model's]");
  add_parsed(app, "--threads", a.threads, parse_count, "N", "CPU threads [all]");
  not_empty(app.add_option("--report", a.json, "Write one JSON document; - is stdout"))
      ->type_name("FILE|-");
  app.footer(
      "Example: yolocu quantize best.yolocu --images photos/ -o best-int8.yolocu\n"
      "The pictures need no labels: some dozens of the kind that the model will see. Do not take\n"
      "those that accuracy will be measured on. What stays in floating point is decided by what\n"
      "int8 changes in the predictions, a group of layers at a time.");
}

void add_all(CLI::App& program, CommandLine& line) {
  program.set_version_flag("--version",
                           "yolocu " YOLOCU_VERSION "\nJPEG decoder: " + jpeg_decoder_name());
  program.require_subcommand(1);
  add_detect(program, line.detect);
  add_convert(program, line.convert);
  add_info(program, line.info);
  add_run(program, line.run);
  add_bench(program, line.bench);
  add_export_onnx(program, line.export_onnx);
  add_quantize(program, line.quantize);
  program.footer("`yolocu COMMAND --help` tells more about a command.");
}

std::string chosen_command(const CLI::App& program) {
  const auto chosen = program.get_subcommands();
  return chosen.empty() ? "" : chosen.front()->get_name();
}

int dispatch(const std::string& command, const CommandLine& line) {
  if (command == "detect") return detect_command(line.detect);
  if (command == "convert") return convert_command(line.convert);
  if (command == "info") return info_command(line.info);
  if (command == "export-onnx") return export_onnx_command(line.export_onnx);
  if (command == "bench") return bench_command(line.bench);
  if (command == "quantize") return quantize_command(line.quantize);
  return run_command(line.run);
}

// A first word that is no command is the likeliest slip, and CLI11 calls it a missing one.
std::string usage_message(const CLI::App& program, const CLI::ParseError& error,
                          const std::string& first_word) {
  if (!chosen_command(program).empty() || first_word.rfind('-', 0) == 0) return error.what();
  return "no command '" + first_word +
         "'; there are detect, convert, info, run, bench, export-onnx and quantize";
}

int run_throwing(int argc, const char* const* argv) {
  CLI::App program("YOLOv7 and YOLOv9 object detection", "yolocu");
  CommandLine line;
  add_all(program, line);
  if (argc < 2) {
    std::fputs(program.help().c_str(), stderr);
    return kExitUsage;
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    return report(print(std::string(version.what()) + "\n"));
  } catch (const CLI::Success&) {  // --help
    return report(print(program.help()));
  } catch (const CLI::ParseError& error) {
    return report_usage(chosen_command(program), usage_message(program, error, argv[1]));
  }
  return dispatch(chosen_command(program), line);
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  try {
    return run_throwing(argc, argv);
  } catch (const std::bad_alloc&) {
    return report_failure(resource_exhausted("out of memory"));
  } catch (const std::exception& error) {
    return report_failure(unavailable(error.what()));
  }
}

}  // namespace yolocu
