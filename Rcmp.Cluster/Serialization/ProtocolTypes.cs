using System.Collections.Frozen;
using Rcmp.Cluster.Messages;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Regions;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Serialization;

/// <summary>What goes over the wire, and under which name. Members of a released record are only appended, structs never change; a snapshot
/// test holds both.</summary>
internal static class ProtocolTypes
{
    /// <summary>Messages have a manifest; what only lies in messages has none.</summary>
    public static readonly IReadOnlyList<(string? Manifest, Type Type)> Table =
    [
        (null, typeof(PageId)),
        (null, typeof(RackId)),
        (null, typeof(ShardId)),
        (null, typeof(SessionToken)),
        (null, typeof(RequestId)),
        (null, typeof(Epoch)),
        (null, typeof(Generation)),
        (null, typeof(Term)),
        (null, typeof(AttemptId)),
        (null, typeof(FrameIndex)),
        (null, typeof(RackIncarnation)),
        (null, typeof(LinkId)),
        (null, typeof(LinkRecord)),
        (null, typeof(RosterEntry)),
        (null, typeof(RequestStatus)),
        (null, typeof(RackHeatValue)),
        (null, typeof(ValueList<RackHeatValue>)),
        (null, typeof(SessionRequest)),
        (null, typeof(SessionGrant)),

        (null, typeof(ValueList<RosterEntry>)),
        (null, typeof(ValueList<PageId>)),
        (null, typeof(ValueList<RackId>)),
        (null, typeof(ValueList<ulong>)),
        (null, typeof(RowState)),
        (null, typeof(RowReport)),
        (null, typeof(ValueList<RowReport>)),
        (null, typeof(OrderKind)),
        (null, typeof(MoveReason)),
        (null, typeof(OrderStatus)),
        (null, typeof(PageHeatValue)),
        (null, typeof(ValueList<PageHeatValue>)),
        (null, typeof(PoolSettings)),
        (null, typeof(RegistrationProblem)),
        (null, typeof(RackRoom)),
        (null, typeof(ValueList<RackRoom>)),
        (null, typeof(PageGrant)),
        (null, typeof(ValueList<PageGrant>)),
        (null, typeof(ResolveProblem)),

        ("sm", typeof(ResolveMiss)),
        ("sa", typeof(AllocatePages)),
        ("sk", typeof(AcknowledgeAllocation)),
        ("sf", typeof(FreePages)),
        ("sb", typeof(BringPage)),
        ("sl", typeof(LocatePage)),
        ("sr", typeof(ReportConnection)),
        ("sc", typeof(CloseSession)),
        ("rd", typeof(RequestDone)),
        ("ra", typeof(PagesAllocated)),
        ("rl", typeof(PageLocated)),

        ("dr", typeof(ResolvePages)),
        ("df", typeof(ForwardedResolve)),
        ("dk", typeof(AskRows)),
        ("dw", typeof(RowsAnswered)),
        ("dt", typeof(TermRefused)),
        ("do", typeof(PageOrder)),
        ("da", typeof(OrderAnswered)),
        ("dx", typeof(FreeRequest)),
        ("dy", typeof(FreeAnswered)),
        ("db", typeof(BringRequest)),
        ("dc", typeof(BringAnswered)),
        ("de", typeof(EvictRequest)),
        ("dg", typeof(EvictAnswered)),
        ("dl", typeof(LocateRequest)),
        ("dm", typeof(LocateAnswered)),
        ("dh", typeof(HeatReport)),
        ("dn", typeof(ConfirmFree)),
        ("dp", typeof(FreeConfirmed)),

        ("mr", typeof(RegisterRack)),
        ("mg", typeof(RackRegistered)),
        ("mx", typeof(RegistrationRefused)),
        ("mo", typeof(RosterChanged)),
        ("ml", typeof(RackLoad)),
        ("ma", typeof(AskRoom)),
        ("mb", typeof(RoomOffered)),
        ("mf", typeof(ForgetRack)),
        ("md", typeof(DrainRack)),
        ("mw", typeof(AdminAnswered)),
        ("me", typeof(EmptyRack)),

        ("hr", typeof(RegisterHolder)),
        ("hg", typeof(HolderRegistered)),
        ("he", typeof(LinkEnded)),
        ("hp", typeof(GrantPages)),
        ("hu", typeof(PagesUnresolved)),
        ("hv", typeof(RevokePage)),
        ("ha", typeof(RevokeAcknowledged)),
        ("hd", typeof(DestroyConnectionsOrder)),
        ("hc", typeof(ConnectionsDestroyed)),
        ("ho", typeof(HostPages)),
        ("hh", typeof(PagesHosted)),
        ("hs", typeof(SettleHosted)),
        ("ht", typeof(HostedSettled)),
        ("hx", typeof(SessionEnded)),
        ("hy", typeof(SessionForgotten)),

        ("lo", typeof(OpenSession)),
        ("lg", typeof(SessionOpened)),
        ("la", typeof(AttachSession)),
        ("lt", typeof(SessionAttached)),
        ("lr", typeof(SessionRefused)),
        ("lp", typeof(SessionPing)),
        ("lq", typeof(SessionPong)),

        (null, typeof(SessionReport)),
        (null, typeof(ValueList<SessionReport>)),
        (null, typeof(HeldUpReport)),
        (null, typeof(ValueList<HeldUpReport>)),
        (null, typeof(RackReport)),
        (null, typeof(ValueList<RackReport>)),
        ("as", typeof(AskPoolStatus)),
        ("at", typeof(PoolStatusAnswered)),
        ("ar", typeof(AskRackStatus)),
        ("aq", typeof(RackStatusAnswered)),
        (null, typeof(ClusterStanding)),
        ("ac", typeof(AskCluster)),
        ("ak", typeof(ClusterAnswered)),

        ("dd", typeof(RowsPending)),
        ("di", typeof(AskHeat)),

        (null, typeof(BarrierStatus)),
        (null, typeof(ValueList<int>)),
        ("ba", typeof(ArriveAtBarrier)),
        ("bo", typeof(BarrierAnswered)),

        (null, typeof(PageSpan)),
        (null, typeof(GrantRun)),
        (null, typeof(ValueList<GrantRun>)),

        (null, typeof(SwapPolicy)),
    ];

    private static readonly FrozenDictionary<Type, string> Manifests =
        Table.Where(t => t.Manifest is not null).ToFrozenDictionary(t => t.Type, t => t.Manifest!);

    private static readonly FrozenDictionary<string, Type> Types =
        Table.Where(t => t.Manifest is not null).ToFrozenDictionary(t => t.Manifest!, t => t.Type);

    public static string? ManifestOf(Type type) => Manifests.GetValueOrDefault(type);

    public static Type? TypeOf(string manifest) => Types.GetValueOrDefault(manifest);
}
