// Errors as values: Status for an outcome, Result<T> for a value or the reason there is none.
// No exception crosses a public function, and no library code prints, aborts or exits.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace yolocu {

enum class StatusCode : uint8_t {
  kOk,
  kInvalidArgument,    // the caller asked for something that makes no sense
  kNotFound,           // a file, tensor or device that is not there
  kCorrupt,            // foreign bytes that break their format
  kUnsupported,        // well-formed, but not something this build can do
  kResourceExhausted,  // memory, or a limit on input size
  kUnavailable,        // the device or file exists but refuses to work now
};

// The outcome of an operation. The message is one line, says what was expected and what was found,
// and names the file or tensor concerned. Empty when ok().
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error with "context: " before its message; ok stays ok.
  Status with_context(const std::string& context) const {
    return ok() ? *this : Status(code_, context + ": " + message_);
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status invalid_argument(std::string m) {
  return {StatusCode::kInvalidArgument, std::move(m)};
}
inline Status not_found(std::string m) {
  return {StatusCode::kNotFound, std::move(m)};
}
inline Status corrupt(std::string m) {
  return {StatusCode::kCorrupt, std::move(m)};
}
inline Status unsupported(std::string m) {
  return {StatusCode::kUnsupported, std::move(m)};
}
inline Status resource_exhausted(std::string m) {
  return {StatusCode::kResourceExhausted, std::move(m)};
}
inline Status unavailable(std::string m) {
  return {StatusCode::kUnavailable, std::move(m)};
}

// A T, or a Status that is not ok. value() and operator* may be used only after ok().
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<1>, std::move(value)) {}
  Result(Status status) : state_(std::in_place_index<0>, std::move(status)) {
    assert(!std::get<0>(state_).ok() && "a Result without a value needs an error");
  }

  bool ok() const { return state_.index() == 1; }
  Status status() const { return ok() ? Status() : std::get<0>(state_); }

  T& value() & { return std::get<1>(state_); }
  const T& value() const& { return std::get<1>(state_); }
  T&& value() && { return std::get<1>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<Status, T> state_;
};

}  // namespace yolocu

// Leaves the enclosing function with the error of `expression`, if it has one.
#define YOLOCU_RETURN_IF_ERROR(expression)                                    \
  do {                                                                        \
    if (::yolocu::Status yolocu_status_ = (expression); !yolocu_status_.ok()) \
      return yolocu_status_;                                                  \
  } while (false)

#define YOLOCU_CONCAT_INNER_(a, b) a##b
#define YOLOCU_CONCAT_(a, b) YOLOCU_CONCAT_INNER_(a, b)

// YOLOCU_ASSIGN_OR_RETURN(auto x, f()): x takes the value, or the function returns the error.
#define YOLOCU_ASSIGN_OR_RETURN(declaration, expression) \
  YOLOCU_ASSIGN_OR_RETURN_IMPL_(YOLOCU_CONCAT_(yolocu_result_, __LINE__), declaration, expression)
#define YOLOCU_ASSIGN_OR_RETURN_IMPL_(result, declaration, expression) \
  auto result = (expression);                                          \
  if (!result.ok()) return result.status();                            \
  declaration = std::move(result).value()
