using System.Reflection;
using System.Runtime.Serialization;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Serialization;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Cluster;

public sealed class SerializerTests
{
    private static readonly Type[] Messages = [.. new[] { typeof(IPoolProtocol).Assembly, typeof(PoolSerializer).Assembly }
        .SelectMany(a => a.GetTypes())
        .Where(t => t is { IsInterface: false, IsAbstract: false } && typeof(IPoolProtocol).IsAssignableFrom(t))];

    public static TheoryData<string> MessageNames => [.. Messages.Select(t => t.Name)];

    [Fact]
    public void EveryMessageIsASealedRecordWithAManifestOfItsOwn()
    {
        foreach (var type in Messages)
        {
            Assert.True(type.IsSealed, $"{type} is not sealed.");
            Assert.True(ProtocolTypes.ManifestOf(type) is { Length: 2 }, $"{type} has no manifest: append it to ProtocolTypes.Table.");
        }
        var manifests = ProtocolTypes.Table.Select(t => t.Manifest).Where(m => m is not null).ToArray();
        Assert.Equal(manifests.Length, manifests.Distinct().Count());
        Assert.Equal(ProtocolTypes.Table.Count, ProtocolTypes.Table.Select(t => t.Type).Distinct().Count());
    }

    [Fact]
    public void EveryTypeInsideAMessageIsKnown()
    {
        var known = ProtocolTypes.Table.Select(t => t.Type).ToHashSet();
        foreach (var type in Messages)
            foreach (var member in MemberTypes(type))
                Assert.True(known.Contains(member), $"{member} in {type.Name} is not in ProtocolTypes.Table: append it.");
    }

    [Theory]
    [MemberData(nameof(MessageNames))]
    public void AMessageSurvivesTheWire(string name)
    {
        var message = Samples.Of(Messages.Single(t => t.Name == name));
        var bytes = PoolSerializer.Encode(message);
        Assert.Equal(message, PoolSerializer.Decode(bytes, ProtocolTypes.ManifestOf(message.GetType())!));
    }

    [Theory]
    [MemberData(nameof(MessageNames))]
    public void ADamagedBodyIsASerializationExceptionAndNothingElse(string name)
    {
        var message = Samples.Of(Messages.Single(t => t.Name == name));
        var manifest = ProtocolTypes.ManifestOf(message.GetType())!;
        var bytes = PoolSerializer.Encode(message);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<SerializationException>(() => PoolSerializer.Decode(bytes[..length], manifest));
        var random = new Random(20261123);
        for (var i = 0; i < 200; i++)
        {
            var damaged = (byte[])bytes.Clone();
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            var failure = Record.Exception(() => PoolSerializer.Decode(damaged, manifest));
            Assert.True(failure is null or SerializationException, $"{failure}");
        }
    }

    [Fact]
    public void AnUnknownManifestIsRefused() =>
        Assert.Throws<SerializationException>(() => PoolSerializer.Decode(PoolSerializer.Encode(Samples.Of(typeof(FreePages))), "??"));

    [Fact]
    public void AnOversizedMessageFailsAtItsSenderByName()
    {
        var pages = ValueList<PageId>.Of(Enumerable.Range(1, PoolSerializer.BodyBytesMax / 8).Select(i => new PageId(ulong.MaxValue - (ulong)i)));
        var failure = Assert.Throws<SerializationException>(() => PoolSerializer.Encode(new ResolvePages(default, default, pages)));
        Assert.Contains(nameof(ResolvePages), failure.Message);
        Assert.Throws<SerializationException>(() => PoolSerializer.Decode(new byte[PoolSerializer.BodyBytesMax + 1], "dr"));
    }

    [Fact]
    public void AForeignTypeIsNotEncoded() => Assert.Throws<SerializationException>(() => PoolSerializer.Encode(new UriBuilder()));

    [Fact]
    public void AMessageOfAnOlderSenderHasDefaultsForWhatItDidNotKnow()
    {
        // The last member, a text, is cut off, and the length in front says so.
        var bytes = PoolSerializer.Encode(new SessionRefused(new RequestId(5), RequestStatus.Mismatch, "abc"));
        var older = bytes[..^4];
        older[0] -= 4;
        Assert.Equal(new SessionRefused(new RequestId(5), RequestStatus.Mismatch, ""), PoolSerializer.Decode(older, "lr"));
    }

    [Fact]
    public void WhatAnOlderSenderDidNotKnowAndMayBeMissingIsMissing()
    {
        // The pool's settings are a part of their own; their last member is a byte that says that there is a policy, and a byte with it.
        var settings = new PoolSettings(Guid.Empty, 4096, 64, 1, SwapPolicy.Swap);
        var message = new RegisterRack(Guid.Empty, new RackId(1), new Generation(1), "", settings, 0, ValueList<RosterEntry>.Empty, 1, 1, 1);
        var bytes = PoolSerializer.Encode(message);
        var part = sizeof(int) + 16 + 3;
        var length = bytes[part];
        var end = part + sizeof(int) + length;
        byte[] older = [.. bytes[..(end - 2)], .. bytes[end..]];
        older[0] -= 2;
        older[part] -= 2;
        Assert.Equal(message with { Settings = settings with { Policy = null } }, PoolSerializer.Decode(older, "mr"));
    }

    [Fact]
    public void AWindowOfReferencesTakesLittleRoom()
    {
        var first = new PageId((2UL << 40) + 4096);
        var link = new LinkId(new RackIncarnation(new RackId(2), new Generation(3)), new RackIncarnation(new RackId(1), new Generation(3)), 1);
        var runs = ValueList<GrantRun>.Of(new GrantRun(first, new FrameIndex(100), new Epoch(1), 512));
        var grant = new GrantPages(link, 7, ValueList<PageGrant>.Empty, runs, new PageSpan(first, 512));
        Assert.InRange(PoolSerializer.Encode(grant).Length, 1, 50);
        Assert.Equal(grant, PoolSerializer.Decode(PoolSerializer.Encode(grant), "hp"));
    }

    [Fact]
    public void WhatANewerSenderAddsIsSkipped()
    {
        var bytes = PoolSerializer.Encode(new SessionRefused(new RequestId(5), RequestStatus.Mismatch, "abc"));
        byte[] newer = [.. bytes, 1, 2, 3];
        newer[0] += 3;
        Assert.Equal(new SessionRefused(new RequestId(5), RequestStatus.Mismatch, "abc"), PoolSerializer.Decode(newer, "lr"));
    }

    /// <summary>The contract as text: manifest, type and members. To accept an addition, run with RCMP_ACCEPT_CONTRACT=1 and read the difference.</summary>
    [Fact]
    public void TheWireContractIsUnchanged()
    {
        var now = string.Concat(ProtocolTypes.Table.Select(t => $"{t.Manifest ?? "--"} {NameOf(t.Type)}({string.Join(", ", MembersOf(t.Type))})\n"));
        var path = Path.Combine(Repository.SourceTree.Root, "Rcmp.Tests", "Cluster", "ProtocolContract.txt");
        if (Environment.GetEnvironmentVariable("RCMP_ACCEPT_CONTRACT") == "1") File.WriteAllText(path, now);
        Assert.Equal(File.ReadAllText(path), now);
    }

    private static IEnumerable<string> MembersOf(Type type) => type switch
    {
        { IsEnum: true } => Enum.GetValuesAsUnderlyingType(type).Cast<object>().Select(v => $"{Enum.GetName(type, v)}={v}"),
        { IsGenericType: true } => type.GetGenericArguments().Select(NameOf),
        _ => type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public).Select(f => $"{NameOf(f.FieldType)} {f.Name.Split('<', '>')[^2]}"),
    };

    private static string NameOf(Type type) =>
        type.IsGenericType ? $"{type.Name.Split('`')[0]}<{string.Join(",", type.GetGenericArguments().Select(NameOf))}>" : type.Name;

    private static IEnumerable<Type> MemberTypes(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)
            .Select(f => Nullable.GetUnderlyingType(f.FieldType) ?? f.FieldType)
            .Where(t => !t.IsPrimitive && t != typeof(string) && t != typeof(Guid))
            .SelectMany(t => t.IsGenericType || t.IsEnum ? [t] : new[] { t }.Concat(MemberTypes(t)))
            .Distinct();
}
