using System.Text.Json;
using System.Text.Json.Serialization;

namespace Rcmp.Hosts.Cli;

/// <summary>Addresses are strings in JSON: 64 bits do not survive a reader that takes numbers for floating point.</summary>
internal sealed class GAddrJsonConverter : JsonConverter<GAddr>
{
    public override GAddr Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        GAddr.TryParse(reader.GetString(), null, out var address) ? address : throw new JsonException("not an address");

    public override void Write(Utf8JsonWriter writer, GAddr value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
