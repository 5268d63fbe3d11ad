using Rcmp.Protocol.Messages;

namespace Rcmp.Protocol;

/// <summary>Where a page is in its life, as its shard sees it.</summary>
internal enum PagePhase
{
    /// <summary>Not known: racks are being asked.</summary>
    Looking = 0,
    Stable,
    Leaving,
    Pulling,
    Committing,
    Settling,
    Aborting,
    Freeing,
}

internal sealed partial class DirectoryShard
{
    private sealed class Page(PageId id)
    {
        private Waiting? _waiting;

        public PageId Id { get; } = id;

        public PagePhase Phase { get; set; }

        public RackId Owner { get; set; }

        public Epoch Epoch { get; set; }

        /// <summary>When it came to its owner, as far as known.</summary>
        public long SinceNs { get; set; } = long.MinValue / 2;

        public Move? Move { get; set; }

        public Lookup? Lookup { get; set; }

        /// <summary>The last question whose answer was believed, as long as no order has followed it.</summary>
        public AttemptId Believed { get; set; }

        public FreeStep? Free { get; set; }

        /// <summary>Who waits for it: answered as soon as the owner can grant, or as soon as it is known that there is none.</summary>
        public Dictionary<RackId, ResolvePages> Resolves => Waiting.Resolves;

        public List<FreeRequest> Frees => Waiting.Frees;

        public Dictionary<RackId, BringRequest> Brings => Waiting.Brings;

        public List<LocateRequest> Locates => Waiting.Locates;

        public List<ConfirmFree> Confirms => Waiting.Confirms;

        public List<RackHeat> Heat { get; } = [];

        public SwapDecision? Decision { get; set; }

        public long HeatAskedNs { get; set; } = long.MinValue / 2;

        /// <summary>How the last attempt at a move, or at freeing it, ended, if that is newer than the decision or the reason for it.</summary>
        public string? Outcome { get; set; }

        public int Failures { get; set; }

        public long NotBeforeNs { get; set; } = long.MinValue;

        /// <summary>Tries to send the order of the phase.</summary>
        public int Tries { get; set; }

        public bool HasWaiters => _waiting is { } w && w.Resolves.Count + w.Frees.Count + w.Brings.Count + w.Locates.Count + w.Confirms.Count > 0;

        private Waiting Waiting => _waiting ??= new Waiting();

        /// <summary>Most of a shard's pages have nobody waiting: those cost no lists.</summary>
        public void ForgetEmptyLists()
        {
            if (!HasWaiters) _waiting = null;
        }
    }

    private sealed class Waiting
    {
        public Dictionary<RackId, ResolvePages> Resolves { get; } = [];

        public List<FreeRequest> Frees { get; } = [];

        public Dictionary<RackId, BringRequest> Brings { get; } = [];

        public List<LocateRequest> Locates { get; } = [];

        public List<ConfirmFree> Confirms { get; } = [];
    }

    private sealed class RackHeat(RackId rack)
    {
        public RackId Rack { get; } = rack;

        public double Heat { get; set; }

        public long RemoteTimeNs { get; set; }
    }

    private sealed class Move
    {
        public required AttemptId Attempt { get; init; }

        public required RackId From { get; init; }

        public required RackId To { get; init; }

        public required Epoch Epoch { get; init; }

        public required MoveReason Reason { get; init; }

        public required long StartedNs { get; init; }

        /// <summary>On account of heat, and nobody can use the page now. Pins and evictions are not counted: they come in any number, and heat would wait for them for ever.</summary>
        public bool IsClosed { get; set; }

        /// <summary>Among the shard's moves: until it is decided. To settle or to give up may wait for a rack that is dead, for as long as it is.</summary>
        public bool IsCounted { get; set; }

        public FrameIndex Source { get; set; }

        public long StepEndsNs { get; set; }

        /// <summary>The old owner has confirmed that its row is gone.</summary>
        public bool Released { get; set; }

        public string Why { get; set; } = "";
    }

    private sealed class Lookup
    {
        /// <summary>Answers to an earlier question may still be on their way, and tell of rows that are long gone.</summary>
        public required AttemptId Question { get; init; }

        public Dictionary<RackId, RowReport> Answers { get; } = [];

        /// <summary>Somebody has asked since the first answer came: what the racks said before tells him nothing of a page that was made meanwhile.</summary>
        public bool IsAskedAnew { get; set; }

        /// <summary>Every rack of the roster, not only the one of birth.</summary>
        public bool All { get; set; }

        /// <summary>Until then the rack of birth alone is waited for.</summary>
        public required long WidensNs { get; init; }

        public long EndsNs { get; set; }
    }

    private sealed class FreeStep
    {
        public required AttemptId Attempt { get; init; }

        public required FreeRequest Request { get; init; }
    }

    private sealed class RackView
    {
        public Generation Generation { get; set; }

        /// <summary>It has promised this term, in this generation or an earlier one.</summary>
        public bool Promised { get; set; }

        /// <summary>All its rows in transition have been reported.</summary>
        public bool Reported { get; set; }

        public PageId After { get; set; }

        public int Tries { get; set; }
    }
}
