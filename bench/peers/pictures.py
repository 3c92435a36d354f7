"""From a picture file to boxes around a backend, as a program with OpenCV does it. Runs in the
virtual environment."""

import cv2
import numpy

CONFIDENCE, IOU, MOST = 0.25, 0.45, 300  # what `yolocu detect` takes by default
GREY = (114, 114, 114)


def letterbox(picture, size):
    """The picture in the middle of a square, scaled to fit; as the official code rounds."""
    height, width = picture.shape[:2]
    scale = min(size / height, size / width)
    inner = round(width * scale), round(height * scale)
    if inner != (width, height):
        picture = cv2.resize(picture, inner, interpolation=cv2.INTER_LINEAR)
    x, y = (size - inner[0]) / 2, (size - inner[1]) / 2
    return cv2.copyMakeBorder(picture, round(y - 0.1), round(y + 0.1), round(x - 0.1),
                              round(x + 0.1), cv2.BORDER_CONSTANT, value=GREY)


def boxes(predictions, height, width, size):
    """Detections of predictions [anchors, 4 + classes], in pixels of the picture."""
    scores = predictions[:, 4:].max(axis=1)
    kept = predictions[scores > CONFIDENCE]
    if len(kept) == 0:
        return []
    scores, classes = kept[:, 4:].max(axis=1), kept[:, 4:].argmax(axis=1)
    corners = numpy.concatenate([kept[:, :2] - kept[:, 2:4] / 2, kept[:, 2:4]], axis=1)  # x y w h
    chosen = cv2.dnn.NMSBoxesBatched(corners.tolist(), scores.tolist(), classes.tolist(),
                                     CONFIDENCE, IOU)[:MOST]
    gain = min(size / height, size / width)
    x, y = (size - width * gain) / 2, (size - height * gain) / 2
    result = []
    for i in chosen:
        left, top = (corners[i, 0] - x) / gain, (corners[i, 1] - y) / gain
        right, bottom = left + corners[i, 2] / gain, top + corners[i, 3] / gain
        box = numpy.clip([left, top, right, bottom], 0, [width, height, width, height])
        result.append({"class_id": int(classes[i]), "score": float(scores[i]),
                       "box": box.tolist()})
    return result


def detect(backend, path, size):
    """class_id, score and box (x1 y1 x2 y2) of every object in a picture file."""
    picture = cv2.imread(path)
    height, width = picture.shape[:2]
    x = cv2.dnn.blobFromImage(letterbox(picture, size), 1 / 255, swapRB=True)
    y = backend.predict(x)
    return boxes(y.reshape(y.shape[-2:]), height, width, size)
