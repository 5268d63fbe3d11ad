using Rcmp.Protocol;

namespace Rcmp.Cluster.Messages;

/// <summary>A process outside the cluster, by way of any node, to the master: I am at the barrier. Repeated until the answer is not <see cref="BarrierStatus.Waiting"/>.</summary>
/// <param name="Request">One per process and barrier.</param>
/// <param name="Barrier">Its name.</param>
/// <param name="Nodes">How many are to come.</param>
/// <param name="Node">Which of them this is, from 0.</param>
/// <param name="Run">Tells this process from an earlier one with the same number.</param>
/// <param name="Text">What node 0 wants the others to know.</param>
internal sealed record ArriveAtBarrier(RequestId Request, string Barrier, int Nodes, int Node, ulong Run, string Text) : IPoolProtocol;

internal enum BarrierStatus
{
    /// <summary>Others have not come yet.</summary>
    Waiting = 0,

    /// <summary>All are there.</summary>
    Open = 1,

    /// <summary>Another process waits here under the same number.</summary>
    Taken = 2,

    /// <summary>Those who wait here expect another number of nodes.</summary>
    OtherCount = 3,

    /// <summary>The request makes no sense, or too many barriers are waited at.</summary>
    Refused = 4,
}

/// <summary>Answer to <see cref="ArriveAtBarrier"/>.</summary>
/// <param name="Request">Of the arrival.</param>
/// <param name="Status">How it stands.</param>
/// <param name="Nodes">How many are waited for.</param>
/// <param name="Missing">While waiting: the lowest numbers of those who have not come.</param>
/// <param name="Text">When open: what node 0 said.</param>
internal sealed record BarrierAnswered(RequestId Request, BarrierStatus Status, int Nodes, ValueList<int> Missing, string Text) : IPoolProtocol
{
    /// <summary>No more are named.</summary>
    public const int MissingMax = 16;
}
