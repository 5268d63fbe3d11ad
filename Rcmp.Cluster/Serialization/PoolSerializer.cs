using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Serialization;

namespace Rcmp.Cluster.Serialization;

/// <summary>Encodes every message of the pool: a constant manifest per type, the body by <see cref="Codec"/>, which makes nothing but the
/// declared members of that type. What cannot be decoded is a <see cref="SerializationException"/>: Akka logs and drops the message.</summary>
internal sealed class PoolSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    /// <summary>Set in our own systems from <c>rcmp.limits.message-size</c>.</summary>
    public const string LimitKey = "rcmp-message-bytes-max";

    /// <summary>Constant for ever; above Akka's reserved range.</summary>
    public const int Id = 7301;

    /// <summary>Less than the frame size of the transport, so that an oversized message fails at its sender, by name.</summary>
    public const int BodyBytesMax = 7 << 20;

    private readonly int _bytesMax = system.Settings.Config.GetInt(LimitKey, BodyBytesMax);

    public override int Identifier => Id;

    public override string Manifest(object o) => ProtocolTypes.ManifestOf(o.GetType()) ?? throw NotOurs(o.GetType().ToString());

    public override byte[] ToBinary(object obj) => Encode(obj, _bytesMax);

    public override object FromBinary(byte[] bytes, string manifest) => Decode(bytes, manifest, _bytesMax);

    public static byte[] Encode(object message, int bytesMax = BodyBytesMax)
    {
        var type = message.GetType();
        if (ProtocolTypes.ManifestOf(type) is null) throw NotOurs(type.ToString());
        var writer = new WireWriter();
        Codec.Of(type).Write(writer, message);
        return writer.Length <= bytesMax ? writer.ToArray() : throw TooLarge(type, writer.Length, bytesMax);
    }

    public static object Decode(byte[] bytes, string manifest, int bytesMax = BodyBytesMax)
    {
        var type = ProtocolTypes.TypeOf(manifest) ?? throw NotOurs($"manifest '{manifest}'");
        if (bytes.Length > bytesMax) throw TooLarge(type, bytes.Length, bytesMax);
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

    private static SerializationException TooLarge(Type type, int bytes, int bytesMax) =>
        new($"A {type.Name} of {bytes} bytes is larger than the {bytesMax} that a message may have (rcmp.limits.message-size).");

    private static SerializationException NotOurs(string what) => new($"{what} is not a message of this version of the pool's protocol.");
}
