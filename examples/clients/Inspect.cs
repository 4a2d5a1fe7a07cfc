// Judge photographs with an exported inspector in C#, by ONNX Runtime (package Microsoft.ML.OnnxRuntime, 1.19 or newer).
//
//   blemish export part.blemish --out part.onnx
//   dotnet add package Microsoft.ML.OnnxRuntime
//   dotnet run part.onnx photograph.ppm ...
//
// Photographs are binary PPM here, so that nothing else is needed. This sample is read, not compiled, by Blemish's tests.

using System;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

static (int Height, int Width, byte[] Pixels) ReadPpm(string path)
{
    using var reader = new BinaryReader(File.OpenRead(path));
    string Word()
    {
        var word = new StringBuilder();
        for (var one = (char)reader.ReadByte(); !char.IsWhiteSpace(one); one = (char)reader.ReadByte()) word.Append(one);
        return word.ToString();
    }
    if (Word() != "P6") throw new InvalidDataException($"{path} is no binary PPM");
    int width = int.Parse(Word()), height = int.Parse(Word());
    if (Word() != "255") throw new InvalidDataException($"{path} has more than 8 bits");
    var pixels = reader.ReadBytes(width * height * 3);
    if (pixels.Length != width * height * 3) throw new InvalidDataException($"{path} is cut short");
    return (height, width, pixels);
}

if (args.Length < 2)
{
    Console.Error.WriteLine("Usage: Inspect GRAPH.onnx PHOTOGRAPH.ppm ...");
    return 2;
}
string[] words = { "pass", "review", "reject" };
var rejected = false;
using var inspector = new InferenceSession(args[0]);
foreach (var path in args.Skip(1))
{
    var (height, width, pixels) = ReadPpm(path);
    var photograph = new DenseTensor<byte>(pixels, new[] { height, width, 3 });
    using var said = inspector.Run(new[] { NamedOnnxValue.CreateFromTensor("photograph", photograph) });
    var verdict = said.First(one => one.Name == "verdict").AsTensor<int>()[0];
    var score = said.First(one => one.Name == "score").AsTensor<float>()[0];
    var pValue = said.First(one => one.Name == "p_value").AsTensor<float>()[0];
    rejected |= verdict == 2;
    Console.WriteLine($"{path} {words[verdict]} {score:F4} {pValue:F6}");
}
return rejected ? 1 : 0;
