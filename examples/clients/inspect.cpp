// Judge photographs with an exported inspector in C++, by OpenVINO (2024 or newer).
//
//   blemish export part.blemish --to openvino --out part.xml
//   g++ -std=c++17 -O2 inspect.cpp -o inspect -I "$OPENVINO/include" -L "$OPENVINO/libs" -lopenvino
//   ./inspect part.xml photograph.ppm ...
//
// $OPENVINO is where OpenVINO lies: its archive's runtime folder, or the folder of the package that pip has installed,
// whose library has its version behind the name (-l:libopenvino.so.NNNN). Photographs are binary PPM here, so that
// nothing else is needed; a program of yours has its pixels from a camera, or from OpenCV.

#include <cstdint>
#include <fstream>
#include <iostream>
#include <openvino/openvino.hpp>
#include <stdexcept>
#include <string>
#include <vector>

struct Photograph {
    size_t height, width;
    std::vector<uint8_t> pixels;  // RGB, row by row
};

Photograph read_ppm(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string kind;
    size_t width = 0, height = 0, most = 0;
    file >> kind >> width >> height >> most;
    if (!file || kind != "P6" || most != 255 || width == 0 || height == 0 || width * height > 100'000'000)
        throw std::runtime_error(path + " is no binary PPM of 8 bits and at most 100 megapixels");
    file.get();  // the one blank behind the head
    Photograph photograph{height, width, std::vector<uint8_t>(height * width * 3)};
    if (!file.read(reinterpret_cast<char*>(photograph.pixels.data()), photograph.pixels.size()))
        throw std::runtime_error(path + " is cut short");
    return photograph;
}

int main(int count, char** arguments) {
    if (count < 3) {
        std::cerr << "Usage: inspect GRAPH.xml PHOTOGRAPH.ppm ...\n";
        return 2;
    }
    try {
        ov::Core core;
        // bfloat16, the default of some CPUs, would move scores: the thresholds were found in float32.
        auto inspector = core.compile_model(arguments[1], "CPU", ov::hint::inference_precision(ov::element::f32));
        auto request = inspector.create_infer_request();
        const char* words[] = {"pass", "review", "reject"};
        bool rejected = false;
        for (int place = 2; place < count; ++place) {
            auto photograph = read_ppm(arguments[place]);
            ov::Tensor given(ov::element::u8, {photograph.height, photograph.width, 3}, photograph.pixels.data());
            request.set_tensor("photograph", given);
            request.infer();
            auto verdict = request.get_tensor("verdict").data<int32_t>()[0];
            rejected |= verdict == 2;
            std::cout << arguments[place] << ' ' << words[verdict] << ' ' << request.get_tensor("score").data<float>()[0]
                      << ' ' << request.get_tensor("p_value").data<float>()[0] << '\n';
        }
        return rejected ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 2;
    }
}
