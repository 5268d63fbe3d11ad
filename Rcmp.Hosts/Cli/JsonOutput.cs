using System.Text.Encodings.Web;
using System.Text.Json;

namespace Rcmp.Hosts.Cli;

/// <summary>How <c>--json</c> objects look: camel case, one line.</summary>
internal static class JsonOutput
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new GAddrJsonConverter() },
    };

    public static void Write<T>(TextWriter writer, T value)
    {
        writer.WriteLine(JsonSerializer.Serialize(value, Options));
        writer.Flush();
    }
}
