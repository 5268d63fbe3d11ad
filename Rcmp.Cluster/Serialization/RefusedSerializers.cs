using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Remote.Serialization;
using Akka.Serialization;

namespace Rcmp.Cluster.Serialization;

/// <summary>Stands in our own systems where Akka has a serializer that makes whatever type a body names. Akka's setting allow-unregistered-types keeps a sender from using it,
/// but not a receiver from reading what somebody else has sent with it.</summary>
internal abstract class RefusedSerializer(ExtendedActorSystem system, int identifier) : Serializer(system)
{
    /// <summary>For the HOCON of a system, above all else.</summary>
    public const string Bindings =
        """
        akka.actor.serializers {
          json = "Rcmp.Cluster.Serialization.RefusedObjects, Rcmp.Cluster"
          daemon-create = "Rcmp.Cluster.Serialization.RefusedDeployment, Rcmp.Cluster"
          akka-misc = "Rcmp.Cluster.Serialization.SmallMessages, Rcmp.Cluster"
        }
        """;

    public override int Identifier => identifier;

    public override bool IncludeManifest => false;

    public override byte[] ToBinary(object obj) => throw new SerializationException($"{obj.GetType()} is not a message of the pool's protocol.");

    public override object FromBinary(byte[] bytes, Type type) =>
        throw new SerializationException($"A message of {bytes.Length} bytes under serializer {identifier} is refused: it is not of the pool's protocol.");
}

/// <summary>In place of Akka's JSON serializer, which is for any object.</summary>
internal sealed class RefusedObjects(ExtendedActorSystem system, Config settings) : RefusedSerializer(system, 1)
{
    /// <summary>Akka has some for the serializer whose place this takes, and gives them.</summary>
    public Config Settings { get; } = settings;
}

/// <summary>In place of Akka's serializer of orders to create an actor: nobody creates actors in another node of a pool.</summary>
internal sealed class RefusedDeployment(ExtendedActorSystem system) : RefusedSerializer(system, 3);

/// <summary>In place of Akka's serializer of its own small messages, which it goes on to read and write: all but the failure, whose exception Akka makes of the type that the sender
/// names, by a constructor that may do anything.</summary>
internal sealed class SmallMessages : SerializerWithStringManifest
{
    private readonly MiscMessageSerializer _akkas;
    private readonly string _failure;

    public SmallMessages(ExtendedActorSystem system)
        : base(system)
    {
        _akkas = new MiscMessageSerializer(system);
        _failure = _akkas.Manifest(new Akka.Actor.Status.Failure(new SerializationException()));
    }

    public override int Identifier => 16;

    public override string Manifest(object o) => _akkas.Manifest(o);

    public override byte[] ToBinary(object obj) => _akkas.ToBinary(obj);

    public override object FromBinary(byte[] bytes, string manifest) => manifest == _failure
        ? throw new SerializationException($"A failure of {bytes.Length} bytes is refused: it is not of the pool's protocol.")
        : _akkas.FromBinary(bytes, manifest);
}
