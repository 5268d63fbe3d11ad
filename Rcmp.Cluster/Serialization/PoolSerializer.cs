using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Serialization;
using Hyperion;

namespace Rcmp.Cluster.Serialization;

/// <summary>Encodes every message of the pool: a constant manifest per type, the body by Hyperion, which is given the protocol's types and
/// refuses all others. What cannot be decoded is a <see cref="SerializationException"/>: Akka logs and drops the message.</summary>
internal sealed class PoolSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    /// <summary>Constant for ever; above Akka's reserved range.</summary>
    public const int Id = 7301;

    /// <summary>Less than the frame size of the transport, so that an oversized message fails at its sender, by name.</summary>
    public const int BodyBytesMax = 7 << 20;

    private static readonly Type[] KnownTypes = [.. ProtocolTypes.Table.Select(t => t.Type)];

    private static readonly Hyperion.Serializer Encoder = new(new SerializerOptions(
        versionTolerance: true,
        preserveObjectReferences: false,
        surrogates: null,
        serializerFactories: [new ValueListFactory(KnownTypes)],
        knownTypes: KnownTypes,
        ignoreISerializable: true,
        packageNameOverrides: null,
        disallowUnsafeTypes: true,
        typeFilter: new ProtocolTypeFilter(KnownTypes)));

    public override int Identifier => Id;

    public override string Manifest(object o) => ProtocolTypes.ManifestOf(o.GetType()) ?? throw NotOurs(o.GetType().ToString());

    public override byte[] ToBinary(object obj) => Encode(obj);

    public override object FromBinary(byte[] bytes, string manifest) => Decode(bytes, manifest);

    public static byte[] Encode(object message)
    {
        if (ProtocolTypes.ManifestOf(message.GetType()) is null) throw NotOurs(message.GetType().ToString());
        using var stream = new MemoryStream(256);
        Encoder.Serialize(message, stream);
        if (stream.Length > BodyBytesMax)
            throw new SerializationException($"A {message.GetType().Name} of {stream.Length} bytes is larger than the {BodyBytesMax} that a message may have.");
        return stream.ToArray();
    }

    public static object Decode(byte[] bytes, string manifest)
    {
        var type = ProtocolTypes.TypeOf(manifest) ?? throw NotOurs($"manifest '{manifest}'");
        if (bytes.Length > BodyBytesMax) throw new SerializationException($"A {type.Name} of {bytes.Length} bytes is larger than the {BodyBytesMax} allowed.");
        object? message;
        try
        {
            using var stream = new MemoryStream(bytes, writable: false);
            message = Encoder.Deserialize<object>(stream);
        }
        catch (Exception e)
        {
            // Whatever the decoder trips over (a type it must not load, an end too soon, a length that no array has), the sender is at fault.
            throw new SerializationException($"A body of {bytes.Length} bytes is not a {type.Name}: {e.Message}", e);
        }
        return message?.GetType() == type
            ? message
            : throw new SerializationException($"Under the manifest of {type.Name} came a {message?.GetType().Name ?? "null"}.");
    }

    private static SerializationException NotOurs(string what) => new($"{what} is not a message of this version of the pool's protocol.");
}
