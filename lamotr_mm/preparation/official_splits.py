"""Which sequences the authors of DanceTrack, SportsMOT and MOT17 put into which split.

From DanceTrack's sequence maps, SportsMOT's splits_txt and https://motchallenge.net/data/MOT17.
"""

# numbers of dancetrack0001 to dancetrack0100
_DANCETRACK = {
    'train': '1 2 6 8 12 15 16 20 23 24 27 29 32 33 37 39 44 45 49 51 52 53 55 57 61 62 66 68 69 '
    '72 74 75 80 82 83 86 87 96 98 99',
    'val': '4 5 7 10 14 18 19 25 26 30 34 35 41 43 47 58 63 65 73 77 79 81 90 94 97',
    'test': '3 9 11 13 17 21 22 28 31 36 38 40 42 46 48 50 54 56 59 60 64 67 70 71 76 78 84 85 88 '
    '89 91 92 93 95 100',
}

# of v_VIDEO_cCLIP: clips by video
_SPORTSMOT = {
    'train': {
        '-6Os86HzwCs': '001 003 007 009',
        '1LwtoLPw2TU': '006 012 014 016',
        '1yHWGw8DH4A': '029 047 077 601 609 610',
        '2j7kLB-vEEk': '001 002 005 007 009 010',
        '4LXTUim5anY': '002 003 010 012 013',
        'ApPxnw_Jffg': '001 002 009 015 016',
        'CW0mQbgYIF4': '004 005 006',
        'Dk3EpDDa3o0': '002 007',
        'HdiyOtliFiw': '003 004 008 010 602',
        'dChHNGIfm4Y': '003',
        'gQNyhv8y0QY': '003 012 013',
        'iIxMOsCGH58': '013',
    },
    'val': {
        '00HRwkvvjtQ': '001 003 005 007 008 011',
        '0kUtTtmLaJA': '004 005 006 007 008 010',
        '2QhNRucNC7E': '017',
        '4-EmEtrturE': '009',
        '4r8QL_wglzQ': '001',
        '5ekaksddqrc': '001 002 003 004 005',
        '9MHDmAMxO5I': '002 003 004 006 009',
        'BgwzTUxJaeU': '008 012 014',
        'G-vNjfx1GGc': '004 008 600 601',
        'ITo3sCnpw_k': '007 010 011 012',
        'cC2mHWqMcjk': '007 008 009',
        'dw7LOz17Omg': '053 067',
        'i2_L4qquVg0': '006 007 009 010',
    },
    'test': {
        '-9kabh1K8UA': '008 009 010',
        '-hhDbvY5aAM': '001 002 005 006 007 008 009 011 012 600 602',
        '1UDUODIBSsc': '001 004 015 037 055 056 063 067 090 103 111 113 601 602 603 606 609 615',
        '2BhBRkkAqbQ': '002',
        '2ChiYdg5bxI': '039 044 046 058 067 072 086 115 120 128 135 136 600 601 602',
        '2Dnx8BpgUEs': '003 005 006 007',
        '2Dw9QNH5KtU': '001 003 004 007 008 012 014 018',
        '42VrMbd68Zg': '003 004 011 012',
        '6OLC1-bhioc': '001 003 005 007 008 009 011 012 013 014',
        '6oTxfzKdG6Q': '004 015',
        '7FTsO8S3h88': '001 004 005 006 007 008',
        '82WN8C8qJmI': '002 003 004 005 014',
        '8rG1vjmJHr4': '004 005 006 007 008 010',
        '9p0i81kAEwE': '002 003 006 007 008 009 010 013 014 015 018 019',
        'A4OJhlI6hgc': '001 002 003 005 601',
        'BdD9xu0E2H4': '003 004 006 010 011 013',
        'DjtFlW2eHFI': '614 616',
        'aAb0psypDj4': '003 006 008 009',
        'aVfJwdQxCsU': '001 007 015',
        'bQNDRprvpus': '001 003 005 007 008',
        'bhWjlAEICp8': '003 004 006 008 009 010 014 018',
        'czYZnO9QxYQ': '002 005 008 012 013 014 016 020',
        'foGDoBblREI': '002 008',
        'iF9bKPWdZlc': '001 003',
    },
}

_MOT17 = {'train': '02 04 05 09 10 11 13', 'test': '01 03 06 07 08 12 14'}
# three copies of each sequence, which differ in det/ alone; the first one is kept
MOT17_DETECTORS = ('FRCNN', 'DPM', 'SDP')

# split: names of its sequences, sorted
DANCETRACK = {
    split: tuple(f'dancetrack{int(number):04d}' for number in numbers.split())
    for split, numbers in _DANCETRACK.items()
}
SPORTSMOT = {
    split: tuple(
        sorted(f'v_{video}_c{clip}' for video, clips in videos.items() for clip in clips.split())
    )
    for split, videos in _SPORTSMOT.items()
}
MOT17 = {
    split: tuple(f'MOT17-{number}-{MOT17_DETECTORS[0]}' for number in numbers.split())
    for split, numbers in _MOT17.items()
}
