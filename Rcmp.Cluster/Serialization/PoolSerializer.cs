using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Serialization;

namespace Rcmp.Cluster.Serialization;

/// <summary>Encodes every message of the pool: a constant manifest per type, the body by <see cref="Codec"/>, which makes nothing but the
/// declared members of that type. What cannot be decoded is a <see cref="SerializationException"/>: Akka logs and drops the message.</summary>
internal sealed class PoolSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    /// <summary>Constant for ever; above Akka's reserved range.</summary>
    public const int Id = 7301;

    /// <summary>Less than the frame size of the transport, so that an oversized message fails at its sender, by name.</summary>
    public const int BodyBytesMax = 7 << 20;

    public override int Identifier => Id;

    public override string Manifest(object o) => ProtocolTypes.ManifestOf(o.GetType()) ?? throw NotOurs(o.GetType().ToString());

    public override byte[] ToBinary(object obj) => Encode(obj);

    public override object FromBinary(byte[] bytes, string manifest) => Decode(bytes, manifest);

    public static byte[] Encode(object message)
    {
        var type = message.GetType();
        if (ProtocolTypes.ManifestOf(type) is null) throw NotOurs(type.ToString());
        var writer = new WireWriter();
        Codec.Of(type).Write(writer, message);
        return writer.Length <= BodyBytesMax
            ? writer.ToArray()
            : throw new SerializationException($"A {type.Name} of {writer.Length} bytes is larger than the {BodyBytesMax} that a message may have.");
    }

    public static object Decode(byte[] bytes, string manifest)
    {
        var type = ProtocolTypes.TypeOf(manifest) ?? throw NotOurs($"manifest '{manifest}'");
        if (bytes.Length > BodyBytesMax) throw new SerializationException($"A {type.Name} of {bytes.Length} bytes is larger than the {BodyBytesMax} allowed.");
        try
        {
            var reader = new WireReader(bytes);
            var message = Codec.Of(type).Read(ref reader);
            if (message is not null && reader.Remaining == 0) return message;
        }
        catch (Exception e) when (e is SerializationException or OverflowException or ArgumentException)
        {
            throw new SerializationException($"A body of {bytes.Length} bytes is not a {type.Name}: {e.Message}", e);
        }
        throw new SerializationException($"A body of {bytes.Length} bytes is not a {type.Name}.");
    }

    private static SerializationException NotOurs(string what) => new($"{what} is not a message of this version of the pool's protocol.");
}
