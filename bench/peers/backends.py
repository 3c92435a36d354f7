"""The peers behind one interface. Runs in the virtual environment only: needs NumPy and the peer.

A backend has
  place(x)       x [1, 3, H, W] fp32 becomes the input of run(); also makes room for the output
  run()          the network on it, and nothing else: no copy that the library does not insist on
  predict(x)     a fresh input to its predictions [1, anchors, 4 + classes], as a program would
"""

import numpy


class Unsupported(Exception):
    """What the peer cannot do here; the message says why."""


class OnnxRuntime:
    package = "onnxruntime"
    precisions = ("fp32",)

    def __init__(self, files, precision, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(files["onnx"], options,
                                                    providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def place(self, x):
        self.x = x
        self.binding = self.session.io_binding()
        self.binding.bind_cpu_input(self.name, x)
        output = self.session.get_outputs()[0]
        self.y = numpy.empty(output.shape, numpy.float32)
        self.binding.bind_output(output.name, "cpu", 0, numpy.float32, self.y.shape,
                                 self.y.ctypes.data)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def predict(self, x):
        return self.session.run(None, {self.name: x})[0]


class OpenVino:
    package = "openvino"
    precisions = ("fp32", "bf16")
    HINTS = {"fp32": "f32", "bf16": "bf16"}

    def __init__(self, files, precision, threads):
        import openvino
        hint = self.HINTS[precision]
        model = openvino.Core().compile_model(files["onnx"], "CPU", {
            "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads})
        took = model.get_property("INFERENCE_PRECISION_HINT").to_string()
        if took != hint:
            raise Unsupported(f"OpenVINO computes in {took} here, not in {hint}")
        self.openvino = openvino
        self.request = model.create_infer_request()

    def place(self, x):
        self.x = x
        self.request.set_input_tensor(self.openvino.Tensor(x, shared_memory=True))

    def run(self):
        self.request.start_async()
        self.request.wait()

    def predict(self, x):
        return self.request.infer([x], share_inputs=True, share_outputs=True)[0]


class Ncnn:
    package = "ncnn"
    precisions = ("fp32", "bf16")

    def __init__(self, files, precision, threads):
        import ncnn
        if "ncnn" not in files:
            raise Unsupported(files["ncnn_problem"])
        self.ncnn = ncnn
        self.net = ncnn.Net()
        option = self.net.opt
        option.num_threads = threads
        option.use_vulkan_compute = False
        option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = False
        option.use_bf16_packed = option.use_bf16_storage = precision == "bf16"
        # Memory is kept from run to run, as ncnn's own benchmark does.
        self.pools = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        option.blob_allocator, option.workspace_allocator = self.pools
        stem = files["ncnn"]
        if self.net.load_param(stem + ".param") != 0 or self.net.load_model(stem + ".bin") != 0:
            raise Unsupported("ncnn cannot load what pnnx has written")

    def place(self, x):
        self.x = self.ncnn.Mat(x[0]).clone()

    def run(self):
        self._extract(self.x)

    def predict(self, x):
        return numpy.array(self._extract(self.ncnn.Mat(x[0])))[None]

    def _extract(self, mat):
        extractor = self.net.create_extractor()
        extractor.input("in0", mat)
        status, output = extractor.extract("out0")
        if status != 0:
            raise Unsupported(f"ncnn fails with status {status}")
        return output


class OpenCv:
    package = "opencv-python-headless"
    precisions = ("fp32",)

    def __init__(self, files, precision, threads):
        import cv2
        cv2.setNumThreads(threads)
        self.net = cv2.dnn.readNetFromONNX(files["onnx"])

    def place(self, x):
        self.net.setInput(x)

    def run(self):
        return self.net.forward()

    def predict(self, x):
        self.net.setInput(x)
        return self.net.forward()


BACKENDS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn, "opencv": OpenCv}
